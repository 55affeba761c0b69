//! The command line of `cargo xtask`.

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::chaos::Chaos;
use crate::ci::Ci;
use crate::demo::Demo;
use crate::docs::Docs;
use crate::serve::Serve;
use crate::services::Services;
use crate::suite::Test;

/// The workspace's own chores
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done, 75 busy, 130 interrupted.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    Demo(Demo),
    Test(Test),
    Serve(Serve),
    Bench(Bench),
    Chaos(Chaos),
    Ci(Ci),
    Docs(Docs),
    Services(Services),
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        match self.chore {
            Chore::Demo(it) => it.run(),
            Chore::Test(it) => it.run(),
            Chore::Serve(it) => it.run(),
            Chore::Bench(it) => it.run(),
            Chore::Chaos(it) => it.run(),
            Chore::Ci(it) => it.run(),
            Chore::Docs(it) => it.run(),
            Chore::Services(it) => it.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_every_chore_says_what_it_does() {
        let command = super::Cli::command();
        command.clone().debug_assert();
        for chore in command.get_subcommands() {
            assert!(chore.get_about().is_some(), "{}", chore.get_name());
            for arg in chore.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {}", chore.get_name(), arg.get_id());
            }
        }
    }
}
