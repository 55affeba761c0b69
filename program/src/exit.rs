//! Exit codes, the same for every executable.

/// How a command ended when nothing failed outright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, also when there was nothing to do.
    Done,
    /// 3: partly done; what failed was listed.
    Partly,
    /// 75: another run holds the lock.
    Busy,
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// Code of a command that failed.
    pub const FAILED: u8 = 1;
    /// Code of wrong usage.
    pub const USAGE: u8 = 2;

    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Partly => 3,
            Exit::Busy => 75,
            Exit::Interrupted => 130,
        }
    }
}

/// Wrong usage that only running the command could find, such as a seed that is no URL: anywhere in an error's chain it
/// makes the exit code 2. Use it as `anyhow::bail!(Misuse::new("…"))` or `.map_err(Misuse::new)`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Misuse {
    message: String,
}

impl Misuse {
    /// `message` says what is wrong and what would be right.
    pub fn new(message: impl ToString) -> Misuse {
        Misuse { message: message.to_string() }
    }
}
