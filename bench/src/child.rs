//! Runs a command and measures it: wall time, CPU time of it and its children, what it printed.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// One measured run.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Wall time, seconds.
    pub wall: f64,
    /// CPU time, user and system, seconds.
    pub cpu: f64,
    /// Standard output.
    pub stdout: String,
}

/// Runs to the end; an exit code other than 0 is an error with the end of standard error.
pub fn measure(command: &mut Command) -> Result<Measured> {
    let before = children_cpu()?;
    let start = Instant::now();
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", command.get_program().to_string_lossy()))?;
    let wall = start.elapsed().as_secs_f64();
    let cpu = children_cpu()? - before;
    if !out.status.success() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        let tail: Vec<&str> = stderr.lines().rev().take(5).collect();
        bail!("{:?} ended with {}: {}", command, out.status, tail.into_iter().rev().collect::<Vec<_>>().join(" | "));
    }
    Ok(Measured { wall, cpu, stdout: String::from_utf8_lossy(&out.stdout).into_owned() })
}

/// CPU seconds of children that ended, from /proc/self/stat (clock ticks are 1/100 s on Linux).
fn children_cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("read /proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("/proc/self/stat has no name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks =
        |i: usize| -> Result<f64> { Ok(fields.get(i).context("/proc/self/stat is short")?.parse::<f64>()? / 100.0) };
    // cutime and cstime are fields 16 and 17 (proc(5)); the first after the name is field 3.
    Ok(ticks(13)? + ticks(14)?)
}

/// Median; the mean of the middle two when the number is even.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => values[n / 2],
        _ => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
