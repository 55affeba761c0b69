//! Flags > environment > configuration file > defaults.
//!
//! What comes from the environment or the file is put into the command line, right behind the name of the command that has
//! the flag, and the whole is parsed by clap once more. So every rule about flags (types, conflicts, what is required)
//! holds wherever a value comes from. A flag on the real command line wins over its own value from outside *and* over values
//! from outside of flags that it conflicts with: `--from` and `--to` are not refused because the file names a `day`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Id};

use crate::config::File;
use crate::sources::{self, Setting};
use crate::{Misuse, keys, redact};

/// Why a command line is refused.
pub(crate) enum Refusal {
    Clap(clap::Error),
    Misuse(Misuse),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Refusal {
        Refusal::Clap(error)
    }
}

impl From<Misuse> for Refusal {
    fn from(error: Misuse) -> Refusal {
        Refusal::Misuse(error)
    }
}

/// The configuration file that the command line (or the environment) names, or the default one, checked.
pub(crate) fn file(built: &Command, matches: &ArgMatches) -> Result<File, Misuse> {
    let named =
        matches.get_one::<PathBuf>("config").cloned().or_else(|| sources::variable("config").map(PathBuf::from));
    let file = File::load(named.as_deref())?;
    keys::check(&file, built)?;
    Ok(file)
}

/// Parses the command line together with environment and file. `matches` is what the command line alone gives.
pub(crate) fn resolve(command: &Command, argv: &[OsString], matches: &ArgMatches) -> Result<ArgMatches, Refusal> {
    let mut built = command.clone();
    built.build();
    resolve_with(command, argv, matches, &file(&built, matches)?)
}

fn resolve_with(
    command: &Command,
    argv: &[OsString],
    matches: &ArgMatches,
    file: &File,
) -> Result<ArgMatches, Refusal> {
    let mut built = command.clone();
    built.build();
    let path = path_of(matches);
    refuse_secrets(&built, &path, matches)?;
    let mut line = argv.to_vec();
    let mut settings = Vec::new();
    for depth in (0..=path.len()).rev() {
        let here = outside(&built, &path[..depth], depth == path.len(), file, matches)?;
        let place = place(command, argv, &path[..depth]);
        line.splice(place..place, here.iter().flat_map(|setting| setting.arguments.clone()));
        settings.extend(here);
    }
    command.clone().try_get_matches_from(line).map_err(|error| match culprit(command, &path, &settings) {
        Some(misuse) => Refusal::Misuse(misuse),
        None => Refusal::Clap(error),
    })
}

/// A command line can be read by every user of the machine, so no secret may stand there.
fn refuse_secrets(built: &Command, path: &[String], matches: &ArgMatches) -> Result<(), Misuse> {
    let Some((command, matches)) = leaf(built, path, matches) else { return Ok(()) };
    let secret = |key: &str, arg: &Arg| redact::is_secret(key) && given(matches, arg.get_id());
    match keys::flags(command).find(|(key, arg)| secret(key, arg)) {
        Some((key, _)) => {
            let variable = keys::variable(key);
            Err(Misuse::new(format!(
                "others can read the command line: set {variable} or the key {key} instead of --{key}"
            )))
        }
        None => Ok(()),
    }
}

/// What environment and file set for the flags of the command at `path`, as far as the command line leaves room; of a command
/// that is not the last of its line (`leaf`) only the flags that are not global.
pub(crate) fn outside(
    root: &Command,
    path: &[String],
    leaf: bool,
    file: &File,
    line: &ArgMatches,
) -> Result<Vec<Setting>, Misuse> {
    let Some((command, matches)) = self::leaf(root, path, line) else { return Ok(Vec::new()) };
    let conflicts = conflicts(command);
    let given = |id: &Id| given(matches, id);
    let mut taken: Vec<Id> = command.get_arguments().map(|arg| arg.get_id().clone()).filter(given).collect();
    let mut settings = Vec::new();
    for read in [sources::from_environment, sources::from_file] {
        let free = |id: &Id| {
            !taken.iter().any(|t| t == id || conflicts.iter().any(|(a, b)| (a, b) == (t, id) || (b, a) == (t, id)))
        };
        let mut found = Vec::new();
        for (key, arg) in
            keys::flags(command).filter(|(_, arg)| leaf || !arg.is_global_set()).filter(|(_, arg)| free(arg.get_id()))
        {
            found.extend(read(root, path, file, key, arg)?);
        }
        taken.extend(found.iter().map(|setting: &Setting| setting.id.clone()));
        settings.extend(found);
    }
    Ok(settings)
}

/// The command at `path`, and what the command line gives it (or, where it was not chosen, those above it).
fn leaf<'a>(root: &'a Command, path: &[String], line: &'a ArgMatches) -> Option<(&'a Command, &'a ArgMatches)> {
    let command = path.iter().try_fold(root, |command, name| command.find_subcommand(name))?;
    Some((command, path.iter().fold(line, |matches, name| matches.subcommand_matches(name).unwrap_or(matches))))
}

/// True when the flag stands on the command line.
fn given(matches: &ArgMatches, id: &Id) -> bool {
    let known = matches.try_contains_id(id.as_str()).is_ok();
    known && matches.value_source(id.as_str()) == Some(ValueSource::CommandLine)
}

/// Names of the subcommands that the command line chose.
fn path_of(matches: &ArgMatches) -> Vec<String> {
    std::iter::successors(matches.subcommand(), |(_, inner)| inner.subcommand())
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Where in the command line the name of the command at `path` has just been read: flags put there belong to it.
fn place(command: &Command, argv: &[OsString], path: &[String]) -> usize {
    let lenient = command.clone().ignore_errors(true);
    let read =
        |line: &[OsString]| lenient.clone().try_get_matches_from(line).is_ok_and(|matches| path_of(&matches) == path);
    let shortest = if path.is_empty() { Some(1) } else { (1..=argv.len()).find(|end| read(&argv[..*end])) };
    shortest.unwrap_or(argv.len()).min(argv.len())
}

/// Pairs of flags that exclude each other, declared on either of them or by a group.
fn conflicts(command: &Command) -> Vec<(Id, Id)> {
    let id = |arg: &Arg| arg.get_id().clone();
    let mut pairs = Vec::new();
    for arg in command.get_arguments() {
        pairs.extend(command.get_arg_conflicts_with(arg).into_iter().map(|other| (id(arg), id(other))));
    }
    for group in command.get_groups().filter(|group| !(*group).clone().is_multiple()) {
        let members: Vec<&Id> = group.get_args().collect();
        let others =
            |a: &Id| members.iter().filter(|b| **b != a).map(|b| (a.clone(), (*b).clone())).collect::<Vec<_>>();
        pairs.extend(members.iter().flat_map(|a| others(a)));
    }
    pairs
}

/// The setting whose value its own flag does not take, with its origin and clap's reason.
fn culprit(command: &Command, path: &[String], settings: &[Setting]) -> Option<Misuse> {
    settings.iter().find_map(|setting| {
        let name = OsString::from(command.get_name());
        let line = [name].into_iter().chain(path.iter().map(OsString::from)).chain(setting.arguments.clone());
        let error = command.clone().try_get_matches_from(line).err()?;
        let about_value =
            matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8);
        let text = error.to_string();
        let reason = text.trim_start_matches("error: ").lines().take_while(|line| !line.trim().is_empty());
        let reason = match redact::is_secret(&setting.key) {
            true => format!("invalid value for --{}", setting.key),
            false => reason.map(str::trim).collect::<Vec<_>>().join(" "),
        };
        about_value.then(|| Misuse::new(format!("{}: {reason}", setting.origin)))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use clap::{ArgAction, Args};
    use proptest::prelude::*;

    use super::*;
    use crate::Common;
    use crate::config::{Entry, Value};

    /// A program with commands below commands, and a flag on the one in between.
    fn program() -> Command {
        let many = Arg::new("many").long("many").action(ArgAction::Append).allow_hyphen_values(true);
        let one = Arg::new("one").long("one").allow_hyphen_values(true);
        let rest = Arg::new("rest").num_args(0..);
        let import = Command::new("import").args([many, one, rest]);
        let between = Arg::new("between").long("between");
        let frontier = Command::new("frontier").arg(between).subcommands([import, Command::new("stats")]);
        Common::augment_args(Command::new("program")).subcommand(frontier)
    }

    fn entry(table: &str, key: &str, value: Value) -> Entry {
        Entry { table: table.split('.').map(str::to_owned).collect(), key: key.to_owned(), value, line: 1 }
    }

    fn parse(file: &File, line: &[&str]) -> ArgMatches {
        let argv: Vec<OsString> = line.iter().map(OsString::from).collect();
        let command = program();
        let matches = command.clone().try_get_matches_from(&argv).unwrap();
        let Ok(resolved) = resolve_with(&command, &argv, &matches, file) else { panic!("refused") };
        resolved
    }

    fn import(matches: &ArgMatches) -> &ArgMatches {
        matches.subcommand_matches("frontier").unwrap().subcommand_matches("import").unwrap()
    }

    fn all(matches: &ArgMatches, id: &str) -> Vec<String> {
        matches.get_many(id).into_iter().flatten().cloned().collect()
    }

    #[test]
    fn each_command_gets_its_own_flags_however_deep_it_is() {
        let text = |text: &str| Value::Text(text.to_owned());
        let entries = vec![
            entry("program.frontier", "between", text("b")),
            entry("program", "many", text("outer")),
            entry("program.frontier.import", "many", text("inner")),
        ];
        let file = File { entries, ..File::default() };
        // The names of commands also stand where they name nothing.
        let line =
            ["program", "--data", "frontier", "frontier", "--between", "import", "import", "import", "--", "--one"];
        let matches = parse(&file, &line);
        assert_eq!(all(import(&matches), "many"), ["inner"]);
        assert_eq!(all(import(&matches), "rest"), ["import", "--one"]);
        let between = |matches: &ArgMatches| all(matches.subcommand_matches("frontier").unwrap(), "between");
        assert_eq!(between(&matches), ["import"]);
        assert_eq!(between(&parse(&file, &["program", "frontier", "stats"])), ["b"]);
    }

    proptest! {
        #[test]
        fn a_value_means_the_same_in_the_file_as_on_the_command_line(
            one in "\\PC{0,8}|--?[a-z=,]{0,5}", many in prop::collection::vec("\\PC{1,8}|--?[a-z=, ]{0,5}", 0..4), rest in "[a-z]{0,3}"
        ) {
            let values = many.iter().cloned().map(Value::Text).collect();
            let entries =
                vec![entry("program", "one", Value::Text(one.clone())), entry("program.frontier", "many", Value::List(values))];
            let file = File { entries, ..File::default() };
            let from_file = parse(&file, &["program", "frontier", "import", &rest]);
            let flags: Vec<String> =
                [format!("--one={one}")].into_iter().chain(many.iter().map(|value| format!("--many={value}"))).collect();
            let start = ["program", "frontier", "import"].into_iter();
            let line: Vec<&str> = start.chain(flags.iter().map(String::as_str)).chain([rest.as_str()]).collect();
            let from_line = parse(&File::default(), &line);
            for id in ["one", "many", "rest"] {
                prop_assert_eq!(all(import(&from_file), id), all(import(&from_line), id));
            }
            prop_assert_eq!(all(import(&from_file), "one"), [one]);
            prop_assert_eq!(all(import(&from_file), "many"), many);
        }
    }
}
