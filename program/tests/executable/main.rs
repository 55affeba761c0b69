//! What every executable promises, shown with the example `sample`, run as a user runs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
#![allow(missing_docs, reason = "nobody uses a test")]

mod configuration;
mod documents;
mod ending;
mod endpoint;
mod logs;
mod signals;

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The executable; `cargo test` has built it beside this test.
fn executable() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("examples/sample");
    assert!(built.exists(), "{} is missing: cargo build --release --workspace --example sample", built.display());
    built
}

/// A working directory of its own, in which the executable runs with nothing set in the environment.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    /// A place with a kafkaspider.toml.
    fn with(toml: &str) -> Place {
        let place = Place::new();
        place.write("kafkaspider.toml", toml);
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable());
        command.args(arguments).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        Ended::of(self.command(arguments).envs(environment.iter().copied()))
    }
}

/// How a run ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Ended {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Standard output of a run that went well.
    fn done(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// The one line on standard error of a run that ended with `code`.
    fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        assert_eq!(self.stderr.matches('\n').count(), 1, "{}", self.stderr);
        self.stderr.trim_end().to_owned()
    }
}

/// A run that goes on; it is killed when the test is over.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// Its next line.
    fn line(&mut self) -> String {
        self.lines.next().expect("it ended").unwrap()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Its exit code; a run that goes on for a minute hangs.
    fn code(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("ended by its own exit, not by the signal");
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it goes on");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// False, with a line that says so, where a tool is missing; on CI that is a failure.
fn need_tool(test: &str, tool: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&paths).any(|dir| dir.join(tool).exists()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test} needs {tool}");
    eprintln!("not run: {test}: {tool} is not installed");
    false
}
