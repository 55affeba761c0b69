//! `config show`: each setting, its value, and where the value comes from. Secrets are masked.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use serde_json::{Value, json};

use crate::config::File;
use crate::settings::{self, Refusal};
use crate::sources::{Origin, Setting};
use crate::table::Table;
use crate::{Common, Misuse, keys, log, redact};

/// One line of the list.
struct Line {
    /// Subcommands down to the one that has the flag; empty for what all have.
    command: Vec<String>,
    key: String,
    /// As text, and as JSON.
    values: Vec<(String, Value)>,
    list: bool,
    origin: Origin,
    /// What the flag's help says of its default.
    told: Option<String>,
}

/// What `config show` prints.
pub(crate) fn show(command: &Command, argv: &[OsString], matches: &ArgMatches) -> Result<Vec<u8>, Refusal> {
    // The shared flags of `config show` itself, values checked.
    let resolved = settings::resolve(command, argv, matches)?;
    log::start(&Common::from_arg_matches(&resolved)?)?;
    let mut built = command.clone();
    built.build();
    let file = settings::file(&built, matches)?;
    let wanted = wanted(&resolved);
    let commands = keys::commands(&built);
    if !commands.iter().any(|(path, _)| *path == wanted) {
        return Err(Misuse::new(format!("{} has no command {}", built.get_name(), wanted.join(" "))).into());
    }
    let mut lines = vec![config_file(&file, matches)];
    let mut shared: Vec<Setting> = Vec::new();
    for (path, command) in commands.iter().filter(|(path, _)| path.is_empty() || path.starts_with(&wanted)) {
        let outside = settings::outside(&built, path, true, &file, matches)?;
        for (key, arg) in keys::flags(command) {
            let setting = outside.iter().find(|setting| setting.key == key);
            // A shared flag stands once more below a command whose own table sets it otherwise.
            let same = setting.is_none_or(|own| shared.iter().any(|all| all.key == key && all.origin == own.origin));
            if path.is_empty() || !arg.is_global_set() || !same {
                lines.push(line(path, key, arg, setting, matches));
            }
        }
        if path.is_empty() {
            shared = outside;
        }
    }
    fill_defaults(&mut lines);
    for variable in strangers(&built) {
        tracing::warn!("environment variable {variable} is set, but {} has no flag of that name", built.get_name());
    }
    Ok(if resolved.get_flag("json") { as_json(&lines) } else { as_table(&lines) })
}

/// The configuration file is a setting too, but not one that it can hold.
fn config_file(file: &File, matches: &ArgMatches) -> Line {
    let origin = match matches.value_source("config") {
        Some(ValueSource::CommandLine) => Origin::Flag,
        _ if file.named => Origin::Environment(keys::variable("config")),
        _ => Origin::Default,
    };
    let values = Some(&file.name).filter(|name| !name.is_empty()).map(|name| (name.clone(), json!(name)));
    Line {
        command: Vec::new(),
        key: "config".to_owned(),
        values: values.into_iter().collect(),
        list: false,
        origin,
        told: None,
    }
}

fn wanted(resolved: &ArgMatches) -> Vec<String> {
    let show = resolved.subcommand().and_then(|(_, config)| config.subcommand());
    let names = show.and_then(|(_, show)| show.get_many::<String>("command"));
    names.into_iter().flatten().cloned().collect()
}

fn line(path: &[String], key: &str, arg: &Arg, outside: Option<&Setting>, matches: &ArgMatches) -> Line {
    let id = arg.get_id().as_str();
    let (values, origin) = if path.is_empty() && matches.value_source(id) == Some(ValueSource::CommandLine) {
        (matches.get_raw(id).into_iter().flatten().collect(), Origin::Flag)
    } else if let Some(setting) = outside {
        (setting.values.iter().map(OsString::as_os_str).collect::<Vec<&OsStr>>(), setting.origin.clone())
    } else {
        (arg.get_default_values().iter().map(|value| value.as_os_str()).collect(), Origin::Default)
    };
    let values = values.into_iter().map(|value| shown(key, arg, value)).collect();
    let list = matches!(arg.get_action(), clap::ArgAction::Append) || arg.get_value_delimiter().is_some();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let told = help.split_once("[default: ").and_then(|(_, rest)| rest.split(']').next()).map(str::to_owned);
    Line { command: path.to_vec(), key: key.to_owned(), values, list, origin, told }
}

/// Where there is no value: the bus that follows from `--data`; else, in the table, what the help says of the default.
fn fill_defaults(lines: &mut [Line]) {
    let data: Vec<(Vec<String>, PathBuf)> = lines
        .iter()
        .filter(|line| line.key == "data")
        .filter_map(|line| Some((line.command.clone(), PathBuf::from(&line.values.first()?.0))))
        .collect();
    for line in lines.iter_mut().filter(|line| line.values.is_empty()) {
        let Some(told) = &line.told else { continue };
        // the innermost command above it that has a value of its own
        let above = data.iter().filter(|(of, _)| line.command.starts_with(of)).max_by_key(|(of, _)| of.len());
        line.values = vec![match above {
            Some((_, data)) if line.key == "bus" => {
                let log = crate::flags::embedded_log(data);
                (log.clone(), json!(log))
            }
            _ => (format!("({told})"), Value::Null),
        }];
    }
}

fn shown(key: &str, arg: &Arg, value: &OsStr) -> (String, Value) {
    if redact::is_secret(key) {
        return (redact::MASK.to_owned(), json!(redact::MASK));
    }
    let text = redact::redact(&value.to_string_lossy()).into_owned();
    let plain = Some(()).filter(|()| keys::is_plain(arg)).and_then(|()| serde_json::from_str(&text).ok());
    let value = plain.unwrap_or_else(|| json!(text));
    (text, value)
}

/// Variables that look like settings and are none: a typing error, or a flag of another executable.
fn strangers(built: &Command) -> Vec<String> {
    let known: Vec<String> = keys::commands(built)
        .iter()
        .flat_map(|(_, command)| keys::flags(command))
        .map(|(key, _)| keys::variable(key))
        .collect();
    let besides = [log::FILTER, "KAFKASPIDER_CONFIG", "KAFKASPIDER_TEST_CLOCK"];
    let set = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("KAFKASPIDER_"));
    let mut strangers: Vec<String> =
        set.filter(|name| !known.contains(name) && !besides.contains(&name.as_str())).collect();
    strangers.sort();
    strangers
}

fn as_table(lines: &[Line]) -> Vec<u8> {
    let mut table = Table::new(["key", "value", "origin"]);
    for line in lines {
        let key = line.command.iter().chain([&line.key]).cloned().collect::<Vec<_>>().join(".");
        let value = if line.values.is_empty() {
            "-".to_owned()
        } else {
            line.values.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ")
        };
        table.row([key, value, line.origin.to_string()]);
    }
    table.to_string().into_bytes()
}

fn as_json(lines: &[Line]) -> Vec<u8> {
    let objects = lines.iter().map(|line| {
        let mut values = line.values.iter().map(|(_, value)| value);
        let value = if line.list { json!(values.collect::<Vec<_>>()) } else { json!(values.next()) };
        let (origin, place) = match &line.origin {
            Origin::Flag => ("flag", None),
            Origin::Environment(variable) => ("environment", Some(variable.clone())),
            Origin::File { name, line } => ("file", Some(format!("{name}:{line}"))),
            Origin::Default => ("default", None),
        };
        json!({ "command": line.command.join(" "), "key": line.key, "value": value, "origin": origin, "where": place })
    });
    let mut text = Value::Array(objects.collect()).to_string();
    text.push('\n');
    text.into_bytes()
}
