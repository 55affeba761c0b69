//! Where values come from besides the command line: the environment and the configuration file.

use std::ffi::OsString;
use std::fmt;

use clap::{Arg, ArgAction, Command, Id};

use crate::config::File;
use crate::{Misuse, keys};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment(String),
    File { name: String, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => write!(f, "flag"),
            Origin::Environment(variable) => write!(f, "environment {variable}"),
            Origin::File { name, line } => write!(f, "file {name}:{line}"),
            Origin::Default => write!(f, "default"),
        }
    }
}

/// A flag set from outside the command line.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub id: Id,
    pub key: String,
    pub values: Vec<OsString>,
    pub origin: Origin,
    /// The same as on a command line.
    pub arguments: Vec<OsString>,
}

/// What the environment sets.
pub(crate) fn from_environment(
    _: &Command,
    _: &[String],
    _: &File,
    key: &str,
    arg: &Arg,
) -> Result<Option<Setting>, Misuse> {
    let Some(value) = variable(key) else { return Ok(None) };
    let name = keys::variable(key);
    let refuse = |what: &str| Err(Misuse::new(format!("environment variable {name} takes {what}")));
    let values = match (arg.get_action(), value.to_str()) {
        (ArgAction::SetTrue | ArgAction::SetFalse, text) => {
            match text.unwrap_or_default().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => vec!["true".into()],
                "0" | "false" | "no" | "off" => vec!["false".into()],
                _ => return refuse("true or false"),
            }
        }
        (ArgAction::Count, text) if text.is_none_or(|text| text.parse::<u8>().is_err()) => return refuse("a number"),
        // A list whose flag has no separator of its own: one value a line.
        (ArgAction::Append, Some(text)) if arg.get_value_delimiter().is_none() => {
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(OsString::from).collect()
        }
        _ => vec![value],
    };
    Ok(Some(Setting::new(arg, key, values, Origin::Environment(name))))
}

/// What the file sets: the most specific table that has the key, `[spider.crawl]`, then `[spider]`, then the top for shared keys.
pub(crate) fn from_file(
    root: &Command,
    path: &[String],
    file: &File,
    key: &str,
    arg: &Arg,
) -> Result<Option<Setting>, Misuse> {
    let table = [&[root.get_name().to_owned()], path].concat();
    let shared = keys::shared().iter().any(|shared| shared == key);
    let entries = file.entries.iter().filter(|entry| entry.key == key && table.starts_with(&entry.table));
    let Some(entry) = entries.filter(|entry| shared || !entry.table.is_empty()).max_by_key(|entry| entry.table.len())
    else {
        return Ok(None);
    };
    let values = keys::values(arg, &entry.value)
        .map_err(|refusal| Misuse::new(format!("{}:{}: key {key} {refusal}", file.name, entry.line)))?;
    Ok(Some(Setting::new(arg, key, values, Origin::File { name: file.name.clone(), line: entry.line })))
}

impl Setting {
    fn new(arg: &Arg, key: &str, values: Vec<OsString>, origin: Origin) -> Setting {
        let flag = OsString::from(format!("--{key}"));
        let with = |value: &OsString| {
            let mut argument = flag.clone();
            argument.push("=");
            argument.push(value);
            argument
        };
        let first = values.first().and_then(|value| value.to_str()).unwrap_or_default();
        let arguments = match arg.get_action() {
            ArgAction::SetTrue => vec![flag; usize::from(first == "true")],
            ArgAction::SetFalse => vec![flag; usize::from(first == "false")],
            ArgAction::Count => vec![flag; first.parse::<u8>().unwrap_or_default().into()],
            ArgAction::Append => values.iter().map(with).collect(),
            _ => match arg.get_value_delimiter() {
                Some(delimiter) if !values.is_empty() => {
                    vec![with(&values.join(OsString::from(delimiter.to_string()).as_os_str()))]
                }
                _ => values.iter().map(with).collect(),
            },
        };
        Setting { id: arg.get_id().clone(), key: key.to_owned(), values, origin, arguments }
    }
}

/// The environment variable of a key; one that is empty counts as not set.
pub(crate) fn variable(key: &str) -> Option<OsString> {
    std::env::var_os(keys::variable(key)).filter(|value| !value.is_empty())
}
