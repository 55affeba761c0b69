//! Runs a command and measures it: wall time, CPU time of it and its children, what it printed.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// One measured run.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Wall time, seconds.
    pub wall: f64,
    /// CPU time, user and system, seconds.
    pub cpu: f64,
    /// CPU time of its threads by their names, seconds, as far as it was seen.
    pub threads: BTreeMap<String, f64>,
    /// Standard output.
    pub stdout: String,
}

/// How often the threads of a child are looked at; what they do after the last look is not seen.
const LOOK: Duration = Duration::from_millis(20);

/// Runs to the end; an exit code other than 0 is an error with the end of standard error.
#[allow(clippy::disallowed_methods, reason = "samples are taken at times, and nothing waits for one")]
pub fn measure(command: &mut Command) -> Result<Measured> {
    let before = children_cpu()?;
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", command.get_program().to_string_lossy()))?;
    let pid = child.id();
    let mut seen = BTreeMap::new();
    // its outputs are short, and fit into the pipes until it has ended
    while child.try_wait()?.is_none() {
        look(pid, &mut seen);
        thread::sleep(LOOK);
    }
    let out = child.wait_with_output()?;
    let wall = start.elapsed().as_secs_f64();
    let cpu = children_cpu()? - before;
    if !out.status.success() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        let tail: Vec<&str> = stderr.lines().rev().take(5).collect();
        bail!("{:?} ended with {}: {}", command, out.status, tail.into_iter().rev().collect::<Vec<_>>().join(" | "));
    }
    let mut threads = BTreeMap::new();
    for (name, cpu) in seen.into_values() {
        *threads.entry(name).or_default() += cpu;
    }
    Ok(Measured { wall, cpu, threads, stdout: String::from_utf8_lossy(&out.stdout).into_owned() })
}

/// Notes name and CPU seconds of each thread of a process, by thread id.
fn look(pid: u32, seen: &mut BTreeMap<String, (String, f64)>) {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return };
    for task in tasks.flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or("?", |(name, _)| name);
        // utime and stime are fields 14 and 15
        if let Ok(cpu) = ticks(&stat, [14, 15]) {
            seen.insert(task.file_name().to_string_lossy().into_owned(), (name.to_owned(), cpu));
        }
    }
}

/// CPU seconds of children that ended: cutime and cstime are fields 16 and 17.
fn children_cpu() -> Result<f64> {
    ticks(&std::fs::read_to_string("/proc/self/stat").context("read /proc/self/stat")?, [16, 17])
}

/// CPU seconds of this process.
pub fn own_cpu() -> Result<f64> {
    ticks(&std::fs::read_to_string("/proc/self/stat").context("read /proc/self/stat")?, [14, 15])
}

/// Sum of two times of a stat file (proc(5), fields counted from 1; clock ticks are 1/100 s on Linux).
fn ticks(stat: &str, fields: [usize; 2]) -> Result<f64> {
    let after_name = stat.rsplit_once(')').context("a stat file has no name")?.1;
    let values: Vec<&str> = after_name.split_whitespace().collect();
    let mut sum = 0.0;
    for field in fields {
        // the first after the name is field 3
        sum += values.get(field - 3).context("a stat file is short")?.parse::<f64>()? / 100.0;
    }
    Ok(sum)
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
    use super::{median, ticks};

    #[test]
    fn times_are_read_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a) (b c) S 1 7 7 0 -1 4194304 100 0 0 0 120 30 4 1 20 0";
        assert_eq!(ticks(stat, [14, 15]).unwrap_or_default(), 1.5);
        assert_eq!(ticks(stat, [16, 17]).unwrap_or_default(), 0.05);
        assert!(ticks("7 (a) S", [14, 15]).is_err());
    }

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
