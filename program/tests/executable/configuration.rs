//! Flags > environment > kafkaspider.toml > defaults; what is unknown or wrong is refused; secrets are never shown.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::{Ended, Place};

/// A field of the arguments that `crawl` prints.
fn field(printed: &str, name: &str) -> String {
    let rest = printed.split_once(&format!(" {name}: ")).unwrap().1;
    let mut depth = 0;
    let end = rest.find(|c: char| {
        depth += i32::from(c == '(' || c == '[') - i32::from(c == ')' || c == ']');
        depth == 0 && (c == ',' || c == ' ')
    });
    rest[..end.unwrap()].to_owned()
}

#[test]
fn each_source_gives_way_to_the_one_above_it() {
    for sources in 0..8_u8 {
        let [flag, environment, file] = [4, 2, 1].map(|bit| sources & bit != 0);
        let toml = "data = 'file'\n[sample]\npages = 1\ninclude = ['file', 'x,y']\nallow-address = ['f/1', 'f/2']\n";
        let place = if file { Place::with(toml) } else { Place::new() };
        let mut arguments = vec!["crawl", "--instance=i"];
        if flag {
            arguments.extend(["--data=flag", "--pages=3", "--include=flag", "--allow-address=c/1,c/2"]);
        }
        let variables = [
            ("KAFKASPIDER_DATA", "environment"),
            ("KAFKASPIDER_PAGES", "2"),
            ("KAFKASPIDER_INCLUDE", "environment a\nx,y\n"),
            ("KAFKASPIDER_ALLOW_ADDRESS", "e/1,e/2"),
        ];
        let printed = place.run(&arguments, if environment { &variables } else { &[] }).done();
        let shown = ["data", "pages", "include", "allow_address"].map(|name| field(&printed, name));
        let expected = match (flag, environment, file) {
            (true, _, _) => ["\"flag\"", "3", "[\"flag\"]", "[\"c/1\", \"c/2\"]"],
            (_, true, _) => ["\"environment\"", "2", "[\"environment a\", \"x,y\"]", "[\"e/1\", \"e/2\"]"],
            (_, _, true) => ["\"file\"", "1", "[\"file\", \"x,y\"]", "[\"f/1\", \"f/2\"]"],
            _ => ["\"data/local\"", "2000", "[]", "[]"],
        };
        assert_eq!(shown, expected, "flag {flag}, environment {environment}, file {file}");
    }
}

#[test]
fn switches_and_counts_come_from_anywhere_and_the_environment_can_take_back_what_the_file_sets() {
    let place = Place::with("verbose = 2\n[sample]\nuntil-idle = true\n");
    let arguments = ["crawl", "--instance=i"];
    let set = |environment: &[(&str, &str)]| {
        let printed = place.run(&arguments, environment).done();
        (field(&printed, "verbose"), field(&printed, "until_idle"))
    };
    assert_eq!(set(&[]), ("2".to_owned(), "true".to_owned()));
    let taken_back = [("KAFKASPIDER_VERBOSE", "0"), ("KAFKASPIDER_UNTIL_IDLE", "no")];
    assert_eq!(set(&taken_back), ("0".to_owned(), "false".to_owned()));
    // An empty variable is one that is not set.
    assert_eq!(set(&[("KAFKASPIDER_UNTIL_IDLE", "")]), ("2".to_owned(), "true".to_owned()));
    let printed = Place::new().run(&["crawl", "--instance=i"], &[("KAFKASPIDER_UNTIL_IDLE", "1")]).done();
    assert_eq!(field(&printed, "until_idle"), "true");
}

#[test]
fn a_required_flag_may_come_from_the_file_or_the_environment() {
    let place = Place::new();
    let ended = place.run(&["crawl"], &[]);
    assert!(ended.code == 2 && ended.stderr.contains("--instance"), "{}", ended.stderr);
    assert_eq!(field(&place.run(&["crawl"], &[("KAFKASPIDER_INSTANCE", "e")]).done(), "instance"), "\"e\"");
    let place = Place::with("[sample.crawl]\ninstance = 'f'\n");
    assert_eq!(field(&place.run(&["crawl"], &[]).done(), "instance"), "\"f\"");
}

#[test]
fn a_flag_also_wins_over_those_that_it_conflicts_with() {
    let place = Place::with("[sample]\ninstance = 'i'\nday = '2026-11-20'\n");
    let printed = place.run(&["crawl", "--from", "2026-11-01"], &[]).done();
    assert_eq!(
        (field(&printed, "from"), field(&printed, "day")),
        ("Some(\"2026-11-01\")".to_owned(), "None".to_owned())
    );
    let printed = place.run(&["crawl"], &[("KAFKASPIDER_FROM", "2026-11-02")]).done();
    assert_eq!(
        (field(&printed, "from"), field(&printed, "day")),
        ("Some(\"2026-11-02\")".to_owned(), "None".to_owned())
    );
}

#[test]
fn a_subcommands_own_table_wins_and_shared_flags_may_stand_anywhere_on_the_line() {
    let place = Place::with("data = 'top'\n[sample]\ndata = 'ours'\ninstance = 'a'\n[sample.crawl]\ninstance = 'b'\n");
    let printed = place.run(&["crawl", "crawl", "--", "--data"], &[]).done();
    assert_eq!((field(&printed, "data"), field(&printed, "instance")), ("\"ours\"".to_owned(), "\"b\"".to_owned()));
    assert_eq!(field(&printed, "seed").len(), "[\"crawl\", \"--data\"]".len());
    for arguments in [["--data", "crawl", "crawl", "s"], ["crawl", "--data", "crawl", "s"]] {
        assert_eq!(field(&place.run(&arguments, &[]).done(), "data"), "\"crawl\"");
    }
}

#[test]
fn the_file_is_named_by_flag_or_environment_and_may_be_absent_only_when_it_is_not() {
    let place = Place::with("data = 'default'\n");
    place.write("a.toml", "data = 'a'\n");
    place.write("b.toml", "data = 'b'\n");
    let data = |arguments: &[&str], environment: &[(&str, &str)]| {
        field(&place.run(&[arguments, &["crawl", "--instance=i"]].concat(), environment).done(), "data")
    };
    assert_eq!(data(&[], &[]), "\"default\"");
    assert_eq!(data(&[], &[("KAFKASPIDER_CONFIG", "a.toml")]), "\"a\"");
    assert_eq!(data(&["--config", "b.toml"], &[("KAFKASPIDER_CONFIG", "a.toml")]), "\"b\"");
    for (arguments, environment) in
        [(["--config=no.toml"].as_slice(), [].as_slice()), (&[], &[("KAFKASPIDER_CONFIG", "no.toml")])]
    {
        let refused = place.run(&[arguments, &["log"]].concat(), environment).refused(2);
        assert!(refused.starts_with("sample: error: cannot read configuration file no.toml: "), "{refused}");
    }
}

#[test]
fn what_nobody_reads_is_refused_with_file_line_and_nearest_key() {
    for (toml, said) in [
        ("\nbux = 'x'\n", "kafkaspider.toml:2: unknown key bux; the nearest is bus"),
        ("bus_config = 'x'\n", "kafkaspider.toml:1: unknown key bus_config; the nearest is bus-config"),
        ("pages = 1\n", "kafkaspider.toml:1: key pages belongs in table [sample]"),
        ("config = 'x'\n", "kafkaspider.toml:1: unknown key config; the nearest is "),
        ("[sample]\npage = 1\n", "kafkaspider.toml:2: unknown key page; the nearest is pages"),
        ("[sample]\nseed = ['x']\n", "kafkaspider.toml:2: unknown key seed; the nearest is "),
        ("[sample.wait]\npages = 1\n", "kafkaspider.toml:2: unknown key pages; the nearest is "),
        ("[sampel]\npages = 1\n", "kafkaspider.toml:1: unknown table sampel; the nearest is sample"),
        ("[sample.crwal]\n", "kafkaspider.toml:1: unknown table sample.crwal; the nearest is sample.crawl"),
        ("[sample.config]\n", "kafkaspider.toml:1: unknown table sample.config; the nearest is "),
        ("[spyder]\n", "kafkaspider.toml:1: unknown table spyder; the nearest is spider"),
        ("spider = 1\n", "kafkaspider.toml:1: unknown key spider; the nearest is "),
        ("data = \n", "kafkaspider.toml:1: "),
    ] {
        let refused = Place::with(toml).run(&["log"], &[]).refused(2);
        assert!(refused.starts_with(&format!("sample: error: {said}")), "{toml}: {refused}");
    }
    // The tables of the other executables are theirs.
    let others = Place::with("[spider]\nwhatever = 1\n[etl.stage]\nx = [{}]\n[mine]\n[relay]\n[dashboard]\n");
    assert!(others.run(&["log"], &[]).refused(2).contains("kafkaspider.toml:4: x: a table cannot stand in a list"));
    Place::with("[spider]\nwhatever = 1\n[etl.stage]\nx = 1\n[mine]\n[relay]\n[dashboard]\n").run(&["log"], &[]).done();
}

#[test]
fn wrong_types_are_named_wherever_they_come_from() {
    let file = |said: &str| format!("sample: error: kafkaspider.toml:2: key {said}");
    for (toml, said) in [
        ("[sample]\npages = 'many'\n", file("pages takes a number, not a string")),
        ("[sample]\nuntil-idle = 1\n", file("until-idle takes true or false, not a number")),
        ("[sample]\nmongo = 7\n", file("mongo takes a string, not a number")),
        ("[sample]\nmongo = ['a']\n", file("mongo takes a string, not a list")),
        ("[sample]\ninclude = ['a', 1]\n", file("include takes a list of strings, not a number")),
        ("[sample.crawl]\nverbose = 1.5\n", file("verbose takes a small whole number, not a number")),
        (
            "[sample]\npages = -3\n",
            "sample: error: file kafkaspider.toml:2: invalid value '-3' for '--pages <PAGES>': invalid digit found in string".to_owned(),
        ),
    ] {
        assert_eq!(Place::with(toml).run(&["crawl", "--instance=i"], &[]).refused(2), said);
    }
    for (name, value, said) in [
        (
            "KAFKASPIDER_PAGES",
            "x",
            "environment KAFKASPIDER_PAGES: invalid value 'x' for '--pages <PAGES>': invalid digit found in string",
        ),
        ("KAFKASPIDER_JSON", "maybe", "environment variable KAFKASPIDER_JSON takes true or false"),
        ("KAFKASPIDER_VERBOSE", "much", "environment variable KAFKASPIDER_VERBOSE takes a number"),
        (
            "KAFKASPIDER_LOG_FORMAT",
            "xml",
            "environment KAFKASPIDER_LOG_FORMAT: invalid value 'xml' for '--log-format <FORMAT>' [possible values: text, json]",
        ),
    ] {
        let refused = Place::new().run(&["crawl", "--instance=i"], &[(name, value)]).refused(2);
        assert_eq!(refused, format!("sample: error: {said}"));
    }
}

#[test]
fn config_show_tells_where_each_value_comes_from() {
    let place = Place::with(
        "log-format = 'text'\n[sample]\ndelay = 1.5\n[sample.crawl]\ninclude = ['a,b', 'c']\nquiet = true\n",
    );
    let environment = [("KAFKASPIDER_INSTANCE", "pi1"), ("KAFKASPIDER_UNTIL_IDLE", "1")];
    let table = place.run(&["config", "show", "crawl", "--data", "/d"], &environment).done();
    let expected = "\
key                   value             origin
config                kafkaspider.toml  default
data                  /d                flag
bus                   /d/bus.db         default
bus-config            -                 default
json                  false             default
verbose               0                 default
quiet                 false             default
log-format            text              file kafkaspider.toml:1
metrics               -                 default
crawl.pages           2000              default
crawl.delay           1.5               file kafkaspider.toml:3
crawl.include         a,b c             file kafkaspider.toml:5
crawl.allow-address   -                 default
crawl.until-idle      true              environment KAFKASPIDER_UNTIL_IDLE
crawl.day             -                 default
crawl.from            -                 default
crawl.instance        pi1               environment KAFKASPIDER_INSTANCE
crawl.mongo-password  -                 default
crawl.access-token    -                 default
crawl.mongo           -                 default
crawl.quiet           true              file kafkaspider.toml:6
";
    assert_eq!(table, expected);
    let ended = place.run(&["config", "show", "crawk"], &[]);
    assert_eq!(ended.refused(2), "sample: error: sample has no command crawk");
    let ended = place.run(&["config", "show"], &[("KAFKASPIDER_BUSS", "x")]);
    assert!(ended.stderr.contains("environment variable KAFKASPIDER_BUSS is set, but sample has no flag of that name"));
}

fn show(place: &Place, environment: &[(&str, &str)]) -> Vec<Value> {
    let lines: Value = serde_json::from_str(&place.run(&["config", "show", "--json"], environment).done()).unwrap();
    lines.as_array().unwrap().clone()
}

#[test]
fn every_flag_has_a_variable_and_a_key() {
    for line in show(&Place::new(), &[]) {
        let (command, key) = (line["command"].as_str().unwrap(), line["key"].as_str().unwrap());
        if key == "config" || key == "json" {
            continue;
        }
        let (value, toml) = match (key, &line["value"]) {
            ("metrics", _) => ("127.0.0.1:1", "'127.0.0.1:1'"),
            ("delay" | "access-token", _) => ("7", "7"),
            ("log-format", _) => ("json", "'json'"),
            (_, Value::Bool(_)) => ("true", "true"),
            (_, Value::Number(_)) => ("1", "1"),
            (_, Value::Array(_)) => ("x", "['x']"),
            _ => ("x", "'x'"),
        };
        let found = |lines: Vec<Value>| lines.into_iter().find(|l| l["command"] == command && l["key"] == key).unwrap();
        let variable = format!("KAFKASPIDER_{}", key.replace('-', "_").to_uppercase());
        let set = found(show(&Place::new(), &[(&variable, value)]));
        assert_eq!((&set["origin"], &set["where"]), (&"environment".into(), &variable.into()), "{key}");
        assert_ne!(set["value"], line["value"], "{key}");
        let table = if command.is_empty() { String::new() } else { format!("[sample.{command}]\n") };
        let set = found(show(&Place::with(&format!("{table}{key} = {toml}\n")), &[]));
        assert_eq!(set["origin"], "file", "{key}");
        assert_ne!(set["value"], line["value"], "{key}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    let toml = "bus = 'kafka://ann:hunter2@h:1'\n[sample]\ninstance = 'i'\nmongo = 'mongodb://ann:hunter2@db/x'\nmongo-password = 'hunter2'\n";
    let environment = [("KAFKASPIDER_MONGO", "mongodb://ann:hunter2@db/x"), ("KAFKASPIDER_MONGO_PASSWORD", "hunter2")];
    for arguments in [
        ["config", "show", "-vv"],
        ["config", "show", "--json"],
        ["log", "-vv", "--quiet"],
        ["log", "-vv", "--log-format=json"],
        ["end", "misuse", "-vv"],
        ["crawl", "--nonsense", "-vv"],
        ["crawl", "--help", "-vv"],
    ] {
        for ended in [Place::with(toml).run(&arguments, &[]), Place::new().run(&arguments, &environment)] {
            assert!(!(ended.stdout + &ended.stderr).contains("hunter2"), "{arguments:?}");
        }
    }
    let place = Place::with(toml);
    // It was there to be shown.
    assert!(place.run(&["crawl"], &[]).done().contains("hunter2"));
    let refused = place.run(&["crawl"], &[("KAFKASPIDER_ACCESS_TOKEN", "hunter2")]).refused(2);
    assert_eq!(refused, "sample: error: environment KAFKASPIDER_ACCESS_TOKEN: invalid value for --access-token");
    let refused = place.run(&["crawl", "--mongo-password", "hunter2"], &[]).refused(2);
    assert!(refused.contains("set KAFKASPIDER_MONGO_PASSWORD") && !refused.contains("hunter2"), "{refused}");
}

#[test]
fn a_path_need_not_be_unicode() {
    let place = Place::new();
    let odd = OsStr::from_bytes(b"d\xff");
    let printed = Ended::of(place.command(&["crawl", "--instance=i"]).env("KAFKASPIDER_DATA", odd)).done();
    assert_eq!(field(&printed, "data"), "\"d\\xFF\"");
    assert!(Ended::of(place.command(&["config", "show"]).env("KAFKASPIDER_DATA", odd)).done().contains("d\u{fffd}"));
    let ended = Ended::of(place.command(&["crawl"]).env("KAFKASPIDER_INSTANCE", odd));
    assert!(ended.refused(2).contains("environment KAFKASPIDER_INSTANCE: "));
}

#[test]
fn properties_of_kafka_are_refused_where_the_bus_is_an_embedded_log() {
    let place = Place::new();
    let refused = place.run(&["end", "done", "--bus-config", "nosuch"], &[]).refused(2);
    assert!(
        refused.contains("--bus-config nosuch is for kafka:// only") && refused.contains("data/local/bus.db"),
        "{refused}"
    );
    let kafka = place.run(&["end", "done", "--bus-config", "x", "--bus", "kafka://127.0.0.1:9"], &[]);
    assert_eq!(kafka.code, 0, "{}", kafka.stderr);
}
