//! Diagnostics: one line each on standard error, as text for people or JSON for machines.
//!
//! Text is `time level message field=value …`; JSON is one object a line with `timestamp`, `level`, `target`, `message` and the
//! fields. `-q` shows warnings and errors, `-v` debug, `-vv` everything of ours, and `KAFKASPIDER_LOG` is a filter such as
//! `info,bus=trace` that overrides both. Passwords in URLs are masked whatever the source of a line.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use chrono::{SecondsFormat, Utc};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Common, Misuse, human, progress, redact};

/// Environment variable of the filter.
pub(crate) const FILTER: &str = "KAFKASPIDER_LOG";

/// True when lines are JSON; set once the flags are known.
static JSON: OnceLock<bool> = OnceLock::new();

/// Starts logging.
pub(crate) fn start(common: &Common) -> Result<(), Misuse> {
    let json = *JSON.get_or_init(|| common.log_format == "json");
    let filter = filter(common)?;
    let writer = || StandardError;
    let started = if json {
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
        lines.with_timer(Clock { terminal: false }).with_env_filter(filter).with_writer(writer).finish().try_init()
    } else {
        let terminal = io::stderr().is_terminal();
        let lines = tracing_subscriber::fmt().compact().with_target(common.verbose > 0).with_ansi(terminal && colour());
        let lines = lines.fmt_fields(debug_fn(field).delimited(" "));
        lines.with_timer(Clock { terminal }).with_env_filter(filter).with_writer(writer).finish().try_init()
    };
    // It fails only where something is logging already, which is as good.
    drop(started);
    Ok(())
}

/// Prints an error as one line, the last of a program, in the format of its log.
pub(crate) fn print_error(name: &str, message: &str) {
    progress::aside(|| print_error_now(name, message));
}

/// The same without regard for progress bars, for who may hold their lock.
pub(crate) fn print_error_now(name: &str, message: &str) {
    // One line, and none that plays tricks on a terminal, whatever the error quotes.
    let message = human::clean(message);
    let message = redact(&message);
    let mut line = if JSON.get().is_some_and(|json| *json) {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        serde_json::json!({ "timestamp": time, "level": "ERROR", "target": name, "message": message }).to_string()
    } else {
        let label = if io::stderr().is_terminal() && colour() { "\x1b[31merror:\x1b[0m" } else { "error:" };
        format!("{name}: {label} {message}")
    };
    line.push('\n');
    // Where standard error is gone there is nobody left to tell.
    io::stderr().write_all(line.as_bytes()).unwrap_or_default();
}

/// False where the user asked for no colour (<https://no-color.org>).
fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

fn filter(common: &Common) -> Result<EnvFilter, Misuse> {
    let directives = match std::env::var(FILTER) {
        Ok(text) if !text.trim().is_empty() => {
            return EnvFilter::builder().parse(&text).map_err(|e| Misuse::new(format!("{FILTER}: {text}: {e}")));
        }
        // html5ever warns about every second page of the real web; what rdkafka says of itself comes as an error too
        _ => match (common.quiet, common.verbose) {
            (true, _) => "warn,html5ever=error,rdkafka=off",
            (false, 0) => "info,html5ever=error,rdkafka=off",
            (false, 1) => {
                "debug,hyper=info,hyper_util=info,reqwest=info,rustls=info,html5ever=error,selectors=info,rdkafka=off"
            }
            (false, 2) => "trace,hyper=debug,hyper_util=debug,rustls=debug,html5ever=error,selectors=info,rdkafka=off",
            (false, _) => "trace",
        },
    };
    EnvFilter::builder().parse(directives).map_err(Misuse::new)
}

/// One field of a text line, made harmless: it may quote a page, and a page may say anything.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = human::clean(&text);
    match (field.name(), writer.has_ansi_escapes()) {
        ("message", _) => write!(writer, "{text}"),
        // What the bridge from the `log` crate adds; the line says it already.
        (name, _) if name.starts_with("log.") => Ok(()),
        (name, true) => write!(writer, "\x1b[2m{name}=\x1b[0m{text}"),
        (name, false) => write!(writer, "{name}={text}"),
    }
}

/// The time of a line, in UTC as all times are: of day for who watches a terminal, complete for what is kept.
struct Clock {
    terminal: bool,
}

impl FormatTime for Clock {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        if self.terminal {
            write!(w, "{}", Utc::now().format("%H:%M:%SZ"))
        } else {
            write!(w, "{}", Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true))
        }
    }
}

/// Standard error, whole lines at a time, with secrets masked and progress bars out of the way.
struct StandardError;

impl Write for StandardError {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    // The subscriber hands over each line in one call of this.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(line);
        // Fields that were left out leave their separators behind.
        let clean = format!("{}\n", redact(text.trim_end()));
        progress::aside(|| io::stderr().write_all(clean.as_bytes()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
