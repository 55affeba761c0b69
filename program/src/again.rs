//! Starts this program again, in place, with settings that a process reads from its environment once, before `main`: glibc's
//! allocator, the thread pools of libraries. A process can change its own environment only with unsafe code.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

/// Those variables that the user has not set.
pub fn unset(variables: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let unset = variables.iter().filter(|(name, _)| std::env::var_os(name).is_none());
    unset.map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Starts this program again unless the variables have these values. Comes before anything that an exec would lose.
pub fn again_with(variables: &[(&str, String)]) -> Result<()> {
    if variables.iter().all(|(name, value)| std::env::var(name).as_ref() == Ok(value)) {
        return Ok(());
    }
    let program = std::env::current_exe().context("cannot find this executable")?;
    let variables = variables.iter().map(|(name, value)| (name, value));
    let error = Command::new(program).args(std::env::args_os().skip(1)).envs(variables).exec();
    Err(error).context("cannot start again with the settings wanted")
}
