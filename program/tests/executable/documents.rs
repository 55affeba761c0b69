//! Completions, manual pages and Markdown, the same on every machine.

use crate::{Ended, Place};

#[test]
fn completions_know_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Place::new().run(&["completions", shell], &[]).done();
        for word in ["crawl", "until-idle", "log-format", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let place = Place::new();
    place.run(&["manual", "new/man"], &[]).done();
    let page = |name: &str| std::fs::read_to_string(place.0.path().join("new/man").join(name)).unwrap();
    let crawl = page("sample-crawl.1");
    assert!(crawl.starts_with(".ie") && crawl.contains("until\\-idle") && crawl.contains("log\\-format"), "{crawl}");
    assert!(page("sample.1").contains("Exit codes"));
    for name in ["end", "wait", "config", "config-show", "completions", "manual"] {
        assert!(page(&format!("sample-{name}.1")).contains("SYNOPSIS"), "{name}");
    }
    let refused = place.run(&["manual", "/dev/null/x"], &[]).refused(1);
    assert!(refused.starts_with("sample: error: cannot write manual pages to /dev/null/x: "), "{refused}");
}

#[test]
fn markdown_is_the_help_and_depends_on_nothing_around_it() {
    let plain = Place::new().run(&["help-markdown"], &[]).done();
    for command in ["crawl", "end", "config show", "manual"] {
        assert!(plain.contains(&format!("\n## `sample {command}`\n")), "{command}");
    }
    let help = Ended::of(Place::new().command(&["crawl", "--help"]).env("COLUMNS", "100")).done();
    let trimmed: Vec<&str> = help.lines().map(str::trim_end).collect();
    assert!(plain.contains(trimmed.join("\n").trim_end()), "{help}");

    let place = Place::with("data = 'elsewhere'\n[sample]\npages = 1\n");
    let around = [
        ("COLUMNS", "40"),
        ("KAFKASPIDER_PAGES", "7"),
        ("KAFKASPIDER_BUS", "kafka://x"),
        ("CLICOLOR_FORCE", "1"),
        ("HOME", "/x"),
    ];
    assert_eq!(place.run(&["help-markdown"], &around).done(), plain);
    assert_eq!(Place::with("nonsense").run(&["help-markdown"], &[]).done(), plain);
}
