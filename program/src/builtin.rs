//! The subcommands that every executable has: `config show`, `completions SHELL`, `manual DIR`, and the hidden
//! `help-markdown`, from which the command pages are generated.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::run::Program;
use crate::settings::Refusal;
use crate::{Exit, manual, show};

const CONFIG: &str = "config";
const COMPLETIONS: &str = "completions";
const MANUAL: &str = "manual";
const MARKDOWN: &str = "help-markdown";

/// True for the name of a subcommand that is built in.
pub(crate) fn has(name: &str) -> bool {
    [CONFIG, COMPLETIONS, MANUAL, MARKDOWN].contains(&name)
}

/// The command line of a program together with what every executable has.
pub(crate) fn command<P: Program>() -> Command {
    let mut command = P::command().name(P::NAME).bin_name(P::NAME);
    if command.get_version().is_none() {
        command = command.version(env!("CARGO_PKG_VERSION"));
    }
    if command.get_after_help().is_none() {
        command = command.after_help(format!(
            "Each --flag is also read from the environment, as KAFKASPIDER_<FLAG>, and from kafkaspider.toml; `{} config show` \
             tells which value holds and where it comes from.\n\n\
             Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done, 75 another run holds the lock, 130 interrupted.",
            P::NAME
        ));
    }
    if !command.has_subcommands() {
        // What the program's own arguments require does not bind the built-in commands.
        command = command.subcommand_negates_reqs(true);
    }
    // Their names are few and fixed, and come last in the list.
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
    let dir = Arg::new("dir").value_name("DIR").required(true).value_parser(value_parser!(PathBuf));
    let of = Arg::new("command").value_name("COMMAND").num_args(0..).help("Only this command's, such as `crawl`");
    let show = Command::new("show").about("Print each setting, its value, and where the value comes from").arg(of);
    command.subcommands([
        Command::new(CONFIG)
            .about("Look into the configuration")
            .display_order(1000)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(show),
        Command::new(COMPLETIONS)
            .about("Print completions for a shell")
            .display_order(1001)
            .arg(shell.help("The shell that will read them")),
        Command::new(MANUAL)
            .about("Write manual pages, one for each command")
            .display_order(1002)
            .arg(dir.help("Folder for the pages; made if absent")),
        Command::new(MARKDOWN).about("Print the help of all commands as Markdown").hide(true),
    ])
}

/// Runs the built-in command that was chosen, if one was. It prints what is the same on every machine, so it reads neither
/// environment nor file; but `config show` is about them.
pub(crate) fn run(
    command: &Command,
    argv: &[OsString],
    matches: &ArgMatches,
) -> Result<Option<anyhow::Result<Exit>>, Refusal> {
    let Some((name, inner)) = matches.subcommand() else { return Ok(None) };
    let done = match name {
        CONFIG => print(&show::show(command, argv, matches)?),
        COMPLETIONS => inner.get_one::<Shell>("shell").map_or(Ok(()), |shell| {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command.clone(), command.get_name(), &mut script);
            print(&script)
        }),
        MANUAL => inner.get_one::<PathBuf>("dir").map_or(Ok(()), |dir| {
            manual::pages(command, dir).with_context(|| format!("cannot write manual pages to {}", dir.display()))
        }),
        MARKDOWN => print(manual::help_markdown(&mut command.clone()).as_bytes()),
        _ => return Ok(None),
    };
    Ok(Some(done.map(|()| Exit::Done)))
}

fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write to standard output")
}
