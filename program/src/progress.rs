//! Progress: a bar or a counter on a terminal, nothing elsewhere.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{Common, human};

/// All bars of this process, set by [`crate::main`]; without it (in tests, in libraries) nothing is drawn.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Lets bars be drawn when standard error is a terminal and neither -q nor JSON logs are set.
pub(crate) fn enable(common: &Common) {
    if stderr().is_terminal() && !common.quiet && common.log_format != "json" {
        BARS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5)));
    }
}

/// Runs `write`, which writes to the terminal, with the bars out of its way.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Progress of one piece of work. Cheap to clone; safe to use from many threads.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// `total` in `unit`s when it is known; the unit `bytes` is shown as kB, MB and so on. Draws only when standard error is
    /// a terminal and neither -q nor JSON logs are set.
    pub fn new(what: &str, unit: &str, total: Option<u64>) -> Progress {
        let Some(bars) = BARS.get() else { return Progress { bar: ProgressBar::hidden() } };
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        bar.set_style(style(unit, total.is_some()));
        bar.set_prefix(what.to_owned());
        let bar = bars.add(bar);
        // So that the clock runs while the work stands still.
        bar.enable_steady_tick(Duration::from_millis(500));
        Progress { bar }
    }

    /// Adds to what is done.
    pub fn add(&self, n: u64) {
        self.bar.inc(n);
    }

    /// Sets the total, when it becomes known or changes.
    pub fn total(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// Short text behind the bar.
    pub fn say(&self, text: &str) {
        if !self.bar.is_hidden() {
            self.bar.set_message(human::clean(text).into_owned());
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(unit: &str, bounded: bool) -> ProgressStyle {
    let (done, total, rate) = match unit {
        "bytes" => ("{decimal_bytes}".to_owned(), "{decimal_total_bytes}", "{decimal_bytes_per_sec}"),
        _ => ("{human_pos}".to_owned(), "{human_len}", "{per_sec}"),
    };
    let unit = if unit == "bytes" { String::new() } else { format!(" {}", unit.replace(['{', '}'], "")) };
    let template = if bounded {
        format!("{{prefix}} {{bar:24}} {done}/{total}{unit} {rate} {{elapsed}} ({{eta}}) {{wide_msg}}")
    } else {
        format!("{{spinner}} {{prefix}} {done}{unit} {rate} {{elapsed}} {{wide_msg}}")
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    #[test]
    fn without_a_terminal_nothing_is_drawn_and_counting_is_harmless() {
        let progress = Progress::new("crawl", "pages", Some(10));
        progress.add(3);
        progress.total(20);
        progress.say("x");
        progress.finish();
        assert!(progress.bar.is_hidden());
    }

    #[test]
    fn a_bar_shows_what_how_much_and_the_text() {
        for (unit, total, shown) in
            [("pages", Some(2000), "1,500/2,000 pages"), ("bytes", None, "1.50 kB"), ("rows", None, "1,500 rows")]
        {
            let screen = Screen::default();
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::term_like(Box::new(screen.clone())));
            bar.set_style(style(unit, total.is_some()));
            bar.set_prefix("crawl");
            let progress = Progress { bar };
            progress.add(1500);
            progress.say("example.org");
            progress.bar.tick();
            let drawn = screen.0.lock().unwrap().clone();
            assert!(drawn.contains("crawl") && drawn.contains(shown) && drawn.contains("example.org"), "{drawn}");
        }
    }

    /// A terminal of 120 columns that keeps what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }
}
