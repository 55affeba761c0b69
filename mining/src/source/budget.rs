//! The limit of memory: a miner that would go over it stops with one line that says so.

use anyhow::{Result, bail};

use crate::options::Size;

/// Resident memory that this process may use.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: Option<u64>,
    given: bool,
}

impl Budget {
    /// The limit as given, else 80 % of what the machine has free now.
    pub fn new(given: Option<u64>) -> Budget {
        Budget { limit: given.or_else(|| available().map(|free| free / 5 * 4)), given: given.is_some() }
    }

    /// The limit in bytes, where there is one.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Fails when the process is near the limit: within a tenth of it, since it is looked at now and then only. Costs a few
    /// microseconds.
    pub fn check(&self) -> Result<()> {
        self.allow(0)
    }

    /// Fails when so many bytes more would bring the process near the limit.
    pub fn allow(&self, more: u64) -> Result<()> {
        let (Some(limit), Some(now)) = (self.limit, resident()) else { return Ok(()) };
        let now = now.saturating_add(more);
        if now <= limit - limit / 10 {
            return Ok(());
        }
        let (now, limit) = (Size(now), Size(limit));
        let used = if more > 0 { "would be" } else { "are" };
        if self.given {
            bail!(
                "this needs more than --memory {limit} ({now} {used} in use, and a tenth is kept free); allow more, or take fewer \
                 days"
            );
        }
        bail!("this needs more memory than the machine has free ({now} of {limit} {used} in use); take fewer days");
    }
}

/// Resident memory of this process in bytes, where the system tells.
fn resident() -> Option<u64> {
    status("/proc/self/status", "VmRSS:")
}

/// Memory that is free for use, in bytes, where the system tells.
fn available() -> Option<u64> {
    status("/proc/meminfo", "MemAvailable:")
}

/// Reads `NAME:   123 kB`.
fn status(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_over_its_limit_is_told_the_flag() {
        let error = Budget::new(Some(1)).check().expect_err("no process fits into one byte");
        assert!(error.to_string().contains("--memory"), "{error}");
        let wide = Budget::new(Some(u64::MAX));
        assert!(wide.check().is_ok() && wide.allow(1 << 40).is_ok());
        let error = Budget::new(Some(1 << 40)).allow(1 << 40).expect_err("the tenth that is kept free is not there");
        assert!(error.to_string().contains("would be in use"), "{error}");
    }
}
