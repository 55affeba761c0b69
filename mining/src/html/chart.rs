//! Charts of the page: bars as HTML boxes, which fit any width, and plots as SVG.

use std::fmt::Write;

use super::table::EMPTY;
use super::{cell, escape};
use crate::findings::{Bar, LogLog, Series};

/// Horizontal bars, each with its label and its value.
pub(super) fn bars(out: &mut String, bars: &[Bar]) {
    if bars.is_empty() {
        out.push_str(EMPTY);
        return;
    }
    let most = bars.iter().map(|bar| bar.value).filter(|v| v.is_finite()).fold(0.0, f64::max);
    out.push_str("<ol class=\"bars\">\n");
    for bar in bars {
        let width =
            if most > 0.0 && bar.value.is_finite() { (100.0 * bar.value / most).clamp(0.0, 100.0) } else { 0.0 };
        out.push_str("<li><span class=\"label\">");
        cell(out, &bar.label);
        let _ = writeln!(
            out,
            "</span><span class=\"track\"><span class=\"bar\" style=\"width:{width:.2}%\"></span></span>\
             <span class=\"value\">{}</span></li>",
            escape(&bar.text)
        );
    }
    out.push_str("</ol>\n");
}

/// Size of a plot, in the units of its own drawing.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 320.0;
/// Room for the axes with their figures, of which the last on the right stands half outside.
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 46.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;

/// Points on logarithmic axes, each a power of ten long or more.
pub(super) fn log_log(out: &mut String, plot: &LogLog) {
    let drawn = |&(x, y): &(f64, f64)| x > 0.0 && y > 0.0 && x.is_finite() && y.is_finite();
    let points = || plot.series.iter().flat_map(|series| series.points.iter().copied().filter(drawn));
    if points().next().is_none() {
        out.push_str(EMPTY);
        return;
    }
    let x = Axis::over(points().map(|p| p.0), LEFT, WIDTH - RIGHT);
    let y = Axis::over(points().map(|p| p.1), HEIGHT - BOTTOM, TOP);
    let _ = writeln!(
        out,
        "<figure><svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} by {}\">",
        escape(&plot.y),
        escape(&plot.x)
    );
    for (power, at) in x.ticks() {
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{0}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{1}\" text-anchor=\"middle\">{2}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0,
            power_of_ten(power)
        );
    }
    for (power, at) in y.ticks() {
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{0}\" y2=\"{at:.1}\"/>\
             <text class=\"tick\" x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{3}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            power_of_ten(power)
        );
    }
    for (number, series) in plot.series.iter().enumerate() {
        let _ = write!(out, "<g class=\"series c{}\">", number % 4);
        for (px, py) in series.points.iter().copied().filter(drawn) {
            let _ = write!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\"/>", x.place(px), y.place(py));
        }
        out.push_str("</g>\n");
    }
    let (middle_x, middle_y) = ((LEFT + WIDTH - RIGHT) / 2.0, (HEIGHT - BOTTOM + TOP) / 2.0);
    let _ = writeln!(
        out,
        "<text class=\"axis\" x=\"{middle_x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text class=\"axis\" transform=\"translate(13 {middle_y:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n</svg>",
        HEIGHT - 8.0,
        escape(&plot.x),
        escape(&plot.y)
    );
    if plot.series.len() > 1 {
        out.push_str("<figcaption>");
        for (number, series) in plot.series.iter().enumerate() {
            let _ = write!(out, "<span class=\"key c{}\">{}</span> ", number % 4, escape(&series.name));
        }
        out.push_str("</figcaption>");
    }
    out.push_str("</figure>\n");
}

/// Points on axes without figures, coloured by their series.
pub(super) fn map(out: &mut String, series: &[Series]) {
    let drawn = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let points = || series.iter().flat_map(|series| series.points.iter().copied().filter(drawn));
    if points().next().is_none() {
        out.push_str(EMPTY);
        return;
    }
    let range = |of: fn((f64, f64)) -> f64| {
        let (low, high) =
            points().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        (low, (high - low).max(f64::MIN_POSITIVE))
    };
    let ((left, wide), (low, tall)) = (range(|p| p.0), range(|p| p.1));
    let _ = writeln!(
        out,
        "<figure><svg class=\"plot map\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"map\">"
    );
    for (number, series) in series.iter().enumerate() {
        let _ = write!(out, "<g class=\"series m{}\"><title>{}</title>", number % 12, escape(&series.name));
        for (x, y) in series.points.iter().copied().filter(drawn) {
            let at_x = TOP + (x - left) / wide * (WIDTH - 2.0 * TOP);
            let at_y = HEIGHT - TOP - (y - low) / tall * (HEIGHT - 2.0 * TOP);
            let _ = write!(out, "<circle cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"2.2\"/>");
        }
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n<figcaption>");
    for (number, series) in series.iter().enumerate() {
        let _ = write!(out, "<span class=\"key m{}\">{}</span> ", number % 12, escape(&series.name));
    }
    out.push_str("</figcaption></figure>\n");
}

/// A logarithmic axis from one power of ten to another.
struct Axis {
    from: i32,
    to: i32,
    start: f64,
    end: f64,
}

impl Axis {
    /// From the power at or below the least value to the one at or above the greatest, drawn from `start` to `end`.
    fn over(values: impl Iterator<Item = f64> + Clone, start: f64, end: f64) -> Axis {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor() as i32;
        let most = values.fold(f64::MIN_POSITIVE, f64::max).log10().ceil() as i32;
        Axis { from: least, to: most.max(least + 1), start, end }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        self.start + share * (self.end - self.start)
    }

    /// Powers of ten with their places, at most eight.
    fn ticks(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        let step = ((self.to - self.from) / 8 + 1).unsigned_abs() as usize;
        (self.from..=self.to).step_by(step).map(|power| (power, self.place(10f64.powi(power))))
    }
}

/// 1, 10, 100, 1k, … 1M, else 10 with its exponent.
fn power_of_ten(power: i32) -> String {
    match power {
        0..=2 => 10u32.pow(power.unsigned_abs()).to_string(),
        3..=5 => format!("{}k", 10u32.pow(power.unsigned_abs() - 3)),
        6..=8 => format!("{}M", 10u32.pow(power.unsigned_abs() - 6)),
        _ => format!("1e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_inside_the_axes() {
        for values in [vec![1.0], vec![3.0, 4000.0], vec![0.001, 1e9], vec![10.0, 10.0]] {
            let axis = Axis::over(values.iter().copied(), 50.0, 450.0);
            assert!(values.iter().all(|&v| (50.0..=450.0).contains(&axis.place(v))), "{values:?}");
            let ticks: Vec<_> = axis.ticks().collect();
            assert!((2..=8).contains(&ticks.len()) && ticks[0].1 == 50.0, "{values:?}");
        }
    }
}
