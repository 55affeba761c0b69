//! A command line that is shown before it runs, so that a person can go on by hand.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command line: environment, program, arguments, folder to run in.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    dir: Option<PathBuf>,
}

impl Line {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Line {
        Line { program: program.as_ref().into(), args: Vec::new(), env: Vec::new(), dir: None }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Line {
        self.args.push(arg.as_ref().into());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Line {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Line {
        self.env.push((name.into(), value.into()));
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Line {
        self.dir = Some(dir.into());
        self
    }

    /// The same command behind another one, such as `nice`.
    pub(crate) fn behind(mut self, program: &str) -> Line {
        let inner = std::mem::replace(&mut self.program, program.into());
        self.args.insert(0, inner.into());
        self
    }

    /// The command, with standard input closed: chores never ask.
    ///
    /// It does not inherit what cargo tells about xtask itself. Build scripts read the same names: one that sees another
    /// value than it did when cargo was called by hand is run again, and all that depends on it is compiled again.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_xtask(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    /// Prints it as a person would type it.
    pub(crate) fn print(&self) {
        println!("$ {self}");
    }
}

impl fmt::Display for Line {
    /// Quoted for a POSIX shell; the program relative to the current folder where it lies below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quote(value))?;
        }
        write!(f, "{}", quote(&relative(&self.program).to_string_lossy()))?;
        for arg in &self.args {
            write!(f, " {}", quote(&arg.to_string_lossy()))?;
        }
        Ok(())
    }
}

/// Whether cargo sets this variable for the package that it runs.
fn is_about_xtask(name: &str) -> bool {
    const NAMES: [&str; 4] = ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    const PREFIXES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_EXE_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The path as seen from the current folder, where it lies below.
pub(crate) fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(below) if !below.as_os_str().is_empty() => below.into(),
        _ => path.into(),
    }
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_is_shown() {
        let words = ["plain", "two words", "it's", "/(faults|traps)/", "", "$HOME", "http://127.0.0.1:8732/"];
        let line = Line::new("printf").arg("%s\\n").args(words);
        let shell = Command::new("sh").arg("-c").arg(line.to_string()).output();
        let shown = shell.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
        assert_eq!(shown.lines().collect::<Vec<_>>(), words);
    }

    #[test]
    fn what_cargo_tells_about_xtask_is_not_passed_on() -> std::io::Result<()> {
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some(), "cargo test says it to the test");
        let seen = String::from_utf8_lossy(&Line::new("env").command().output()?.stdout).into_owned();
        assert!(seen.contains("PATH=") && !seen.contains("CARGO_PKG_") && !seen.contains("CARGO_MANIFEST_"), "{seen}");
        Ok(())
    }

    #[test]
    fn the_program_is_shown_relative_to_the_current_folder() {
        let here = std::env::current_dir().unwrap_or_default();
        let line = Line::new(here.join("target/release/spider")).arg("crawl").env("CI", "true");
        assert_eq!(line.to_string(), "CI=true target/release/spider crawl");
        assert!(Line::new("/usr/bin/env").to_string().starts_with("/usr/bin/env"));
    }
}
