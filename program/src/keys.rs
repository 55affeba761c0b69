//! Which flags can be set from outside, by which names, and what values they take.
//!
//! Every flag with a long name has a key of that name in the configuration file and a variable `KAFKASPIDER_<NAME>` in the
//! environment; positional arguments have none.

use std::any::TypeId;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, Command};

use crate::config::{File, Value};
use crate::{Common, Misuse, builtin};

/// Executables that share one configuration file; each leaves the tables of the others alone.
const PROGRAMS: [&str; 5] = ["spider", "etl", "mine", "relay", "dashboard"];

/// The commands of an executable with their paths, itself (with the empty path) first, without those built into each.
pub(crate) fn commands(root: &Command) -> Vec<(Vec<String>, &Command)> {
    let mut found = vec![(Vec::new(), root)];
    let mut next = 0;
    while next < found.len() {
        let (path, command) = found[next].clone();
        next += 1;
        for inner in command.get_subcommands() {
            if inner.get_name() != "help" && !(path.is_empty() && builtin::has(inner.get_name())) {
                found.push(([path.as_slice(), &[inner.get_name().to_owned()]].concat(), inner));
            }
        }
    }
    found
}

/// The flags of a command that have a key; the command is built, so that it has its global ones too.
pub(crate) fn flags(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    command.get_arguments().filter_map(|arg| {
        let help = matches!(
            arg.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        );
        // The file cannot name itself.
        arg.get_long().filter(|long| !help && *long != "config").map(|long| (long, arg))
    })
}

/// Names of the flags that every executable has.
pub(crate) fn shared() -> Vec<String> {
    let mut command = Common::augment_args(Command::new("shared")).disable_help_flag(true);
    command.build();
    flags(&command).map(|(key, _)| key.to_owned()).collect()
}

/// The environment variable of a key.
pub(crate) fn variable(key: &str) -> String {
    format!("KAFKASPIDER_{}", key.replace('-', "_").to_ascii_uppercase())
}

/// Refuses a file with a key or table that nobody reads, or a value of a type that its flag does not take.
pub(crate) fn check(file: &File, root: &Command) -> Result<(), Misuse> {
    let program = root.get_name();
    let (commands, shared) = (commands(root), shared());
    let at = |line: usize| format!("{}:{line}", file.name);
    let others = |table: &[String]| table.first().is_some_and(|t| t != program && PROGRAMS.contains(&t.as_str()));
    for (table, line) in file.tables.iter().filter(|(table, _)| !others(table)) {
        let known: Vec<String> = commands.iter().map(|(path, _)| dotted(program, path)).collect();
        if !known.contains(&table.join(".")) {
            let known = known.iter().map(String::as_str).chain(PROGRAMS);
            return Err(unknown(&at(*line), "table", &table.join("."), known));
        }
    }
    for entry in file.entries.iter().filter(|entry| !others(&entry.table)) {
        let path = entry.table.get(1..).unwrap_or_default();
        let takers: Vec<(&str, &Arg)> = commands
            .iter()
            .filter(|(of, _)| of.starts_with(path))
            .flat_map(|(_, command)| flags(command))
            .filter(|(key, _)| !entry.table.is_empty() || shared.iter().any(|known| known == key))
            .collect();
        let named: Vec<&Arg> = takers.iter().filter(|(key, _)| *key == entry.key).map(|(_, arg)| *arg).collect();
        if named.is_empty() {
            let own = commands.iter().flat_map(|(_, command)| flags(command)).any(|(key, _)| key == entry.key);
            if own && entry.table.is_empty() {
                return Err(Misuse::new(format!("{}: key {} belongs in table [{program}]", at(entry.line), entry.key)));
            }
            return Err(unknown(&at(entry.line), "key", &entry.key, takers.iter().map(|(key, _)| *key)));
        }
        let refusals: Vec<String> = named.iter().filter_map(|arg| values(arg, &entry.value).err()).collect();
        if let Some(refusal) = refusals.first().filter(|_| refusals.len() == named.len()) {
            return Err(Misuse::new(format!("{}: key {} {refusal}", at(entry.line), entry.key)));
        }
    }
    Ok(())
}

/// The values that a flag gets from a file's value, or what it takes instead.
pub(crate) fn values(arg: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    let wanted = Wanted::of(arg);
    let list = matches!(arg.get_action(), ArgAction::Append) || arg.get_value_delimiter().is_some();
    let one = |value: &Value| match (wanted, value) {
        (Wanted::Flag, Value::Flag(flag)) => Ok(flag.to_string().into()),
        (Wanted::Text | Wanted::Any, Value::Text(text)) => Ok(text.into()),
        (Wanted::Count, Value::Number(number)) if number.parse::<u8>().is_ok() => Ok(number.into()),
        (Wanted::Number | Wanted::Any, Value::Number(number)) => Ok(number.into()),
        (_, value) => {
            Err(format!("takes {}{}, not {}", if list { "a list of " } else { "" }, wanted.name(list), value.kind()))
        }
    };
    match value {
        Value::List(values) if list => values.iter().map(one).collect(),
        value => one(value).map(|value| vec![value]),
    }
}

/// True for a flag whose values are true, false or numbers, in JSON too.
pub(crate) fn is_plain(arg: &Arg) -> bool {
    matches!(Wanted::of(arg), Wanted::Flag | Wanted::Count | Wanted::Number)
}

/// What a flag takes, as far as its type tells.
#[derive(Clone, Copy)]
enum Wanted {
    Flag,
    Count,
    Number,
    Text,
    Any,
}

impl Wanted {
    fn of(arg: &Arg) -> Wanted {
        match arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => return Wanted::Flag,
            ArgAction::Count => return Wanted::Count,
            _ => {}
        }
        let of = arg.get_value_parser().type_id();
        let is = |types: &[TypeId]| types.iter().any(|t| of == *t);
        macro_rules! types { ($($t:ty),*) => { [$(TypeId::of::<$t>()),*] } }
        if is(&types![bool]) {
            Wanted::Flag
        } else if is(&types![u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64]) {
            Wanted::Number
        } else if is(&types![String, OsString, PathBuf, SocketAddr, IpAddr]) {
            Wanted::Text
        } else {
            Wanted::Any
        }
    }

    fn name(self, many: bool) -> &'static str {
        match (self, many) {
            (Wanted::Flag, _) => "true or false",
            (Wanted::Count, _) => "a small whole number",
            (Wanted::Number, false) => "a number",
            (Wanted::Number, true) => "numbers",
            (Wanted::Text, false) => "a string",
            (Wanted::Text, true) => "strings",
            (Wanted::Any, false) => "a string or a number",
            (Wanted::Any, true) => "strings or numbers",
        }
    }
}

fn dotted(program: &str, path: &[String]) -> String {
    [&[program.to_owned()], path].concat().join(".")
}

fn unknown<'a>(at: &str, what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Misuse {
    let nearest = known.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    Misuse::new(format!("{at}: unknown {what} {name}; the nearest is {}", nearest.unwrap_or_default()))
}
