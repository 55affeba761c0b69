//! Help in other forms than `--help`: manual pages and Markdown, the same on every machine.

use std::io;
use std::path::Path;

use clap::Command;

/// Width of the help in Markdown.
const WIDTH: usize = 100;

/// The help of a command and all its subcommands as Markdown, word for word as `--help` prints it, from which
/// `docs/commands/<executable>.md` is made and with which it is compared. It depends on nothing but the command: no
/// terminal, no environment, no configuration file.
pub fn help_markdown(command: &mut Command) -> String {
    let command = command.clone().term_width(WIDTH);
    let mut text = format!("# {}\n", command.get_name());
    write_help(&mut text, &command, &command, &[command.get_name()]);
    text
}

fn write_help(text: &mut String, root: &Command, command: &Command, path: &[&str]) {
    let asked = root.clone().try_get_matches_from(path.iter().chain(&["--help"]));
    let help = asked.err().map(|help| help.to_string()).unwrap_or_default();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{}`\n\n```text\n{}\n```\n", path.join(" "), lines.join("\n").trim_end()));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write_help(text, root, inner, &[path, &[inner.get_name()]].concat());
    }
}

/// Writes a manual page for each command into a folder, which is made if absent.
pub(crate) fn pages(command: &Command, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command.clone(), dir)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn markdown_has_every_visible_command_and_no_line_is_too_wide() {
        let flag = Arg::new("far").long("far").help("word ".repeat(60)).default_value("x");
        let hidden = Command::new("secret").hide(true);
        let inner = Command::new("inner").arg(flag).subcommand(Command::new("deep"));
        let text = help_markdown(&mut Command::new("prog").subcommands([inner, hidden]));
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(headings, ["# prog", "## `prog`", "## `prog inner`", "## `prog inner deep`"]);
        assert!(text.lines().all(|line| line.len() <= WIDTH && line == line.trim_end()), "{text}");
        assert!(text.contains("Usage: prog inner") && text.contains("--far"));
    }
}
