//! `etl doctor`: looks at everything that the night needs, and says for each thing that is wrong what to do.

use std::time::Instant;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet};
use bus::topic;
use mongodb::bson::doc;
use program::{Common, Exit, Shutdown, Table, human};
use serde::Serialize;

use crate::complete;
use crate::mongo::Server;
use crate::upload::PROGRAM;
use crate::world;

/// Check configuration, space, clock, permissions, servers and topics
///
/// One line per check, with a remedy where something is wrong. Exit code 3 when something is.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
}

/// Free space below which a night may not end well: one day of segments and then some.
const LEAST_FREE: u64 = 2 << 30;
/// Seconds by which clocks may differ.
const CLOCK: i64 = 60;

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    good: bool,
    found: String,
    remedy: Option<String>,
}

fn good(what: &'static str, found: impl Into<String>) -> Check {
    Check { what, good: true, found: found.into(), remedy: None }
}

fn bad(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check { what, good: false, found: found.into(), remedy: Some(remedy.into()) }
}

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let data = DataDir::new(&common.data);
    let mut checks = vec![configuration(common)];
    checks.push(writable(&data));
    checks.extend(space(&data));
    checks.extend(bus(common));
    checks.push(archive(&data));
    checks.push(database(args, shutdown));
    let bad = checks.iter().filter(|check| !check.good).count();
    if common.json {
        println!("{}", serde_json::json!({ "checks": checks, "good": bad == 0 }));
    } else {
        let mut table = Table::new(["", "check", "found"]);
        for check in &checks {
            table.row([if check.good { "ok" } else { "BAD" }.to_owned(), check.what.to_owned(), check.found.clone()]);
        }
        table.print()?;
        for check in &checks {
            if let Some(remedy) = &check.remedy {
                println!("{}: {}", check.what, human::clean(remedy));
            }
        }
    }
    Ok(if bad == 0 { Exit::Done } else { Exit::Partly })
}

/// That we run at all means that file and environment were understood.
fn configuration(common: &Common) -> Check {
    let file =
        common.config.as_ref().map_or("kafkaspider.toml where there is one".into(), |file| file.display().to_string());
    good("configuration", format!("understood ({file}); `etl config show` lists it"))
}

fn writable(data: &DataDir) -> Check {
    let root = data.root();
    if !root.exists() {
        return bad(
            "permissions",
            format!("{} does not exist", root.display()),
            "run `etl stage --once`, or name the archive with --data",
        );
    }
    match archive::TmpDir::create(data, PROGRAM) {
        Ok(_) => good("permissions", format!("{} can be written", root.display())),
        Err(error) => {
            bad("permissions", format!("{error:#}"), format!("let the user of this program own {}", root.display()))
        }
    }
}

fn space(data: &DataDir) -> Option<Check> {
    let free = world::free_space(data.root())?;
    let found = format!("{} free on the disk of {}", human::bytes(free), data.root().display());
    Some(if free >= LEAST_FREE {
        good("space", found)
    } else {
        bad("space", found, "make room: old reports, quarantine/ and rejects/ may go; segments may not")
    })
}

fn bus(common: &Common) -> Vec<Check> {
    let url = common.bus_url();
    let bus = match world::look_at_bus(common) {
        Ok(Some(bus)) => bus,
        Ok(None) => {
            return vec![bad(
                "bus",
                format!("there is no embedded log at {url}"),
                "`spider crawl` makes one; --bus names another",
            )];
        }
        Err(error) => {
            return vec![bad("bus", format!("{error:#}"), "check --bus and --bus-config, and that the broker runs")];
        }
    };
    let mut checks = vec![good("bus", format!("{} answers", program::redact(&url)))];
    match (bus.now(), world::now()) {
        (Ok(theirs), Ok(ours)) => {
            let differ = (theirs - ours) / 1000;
            let found = format!("the bus is {differ} s ahead of this machine");
            checks.push(if differ.abs() <= CLOCK {
                good("clock", found)
            } else {
                bad("clock", found, "set both clocks by NTP: days end at midnight of the bus")
            });
        }
        (Err(error), _) => checks.push(bad("clock", format!("{error:#}"), "check the bus")),
        (_, Err(error)) => checks.push(bad("clock", format!("{error:#}"), "set the clock of this machine")),
    }
    match bus.topics() {
        Ok(there) => {
            for want in [topic::artefacts(), topic::seals()] {
                match there.iter().find(|one| one.name == want.name) {
                    Some(one) if *one == want => {
                        checks.push(good("topic", format!("{} has {} partitions", want.name, want.partitions)));
                    }
                    Some(one) => checks.push(bad(
                        "topic",
                        format!("{} has {} partitions, cleanup {:?}", one.name, one.partitions, one.cleanup),
                        format!(
                            "it needs {} partitions and cleanup {:?}; the number of partitions is for life",
                            want.partitions, want.cleanup
                        ),
                    )),
                    // brokers list only what a user may see; asked by name, they say so
                    None => checks.push(match bus.look_up(&want.name) {
                        Err(error) => bad("topic", format!("{error:#}"), "let this user see the topic"),
                        Ok(_) => bad(
                            "topic",
                            format!("{} does not exist", want.name),
                            "run `etl stage --once`, which makes it",
                        ),
                    }),
                }
            }
        }
        Err(error) => checks.push(bad("topic", format!("{error:#}"), "check the bus")),
    }
    checks
}

fn archive(data: &DataDir) -> Check {
    let looked = Catalogue::read(data).map_err(anyhow::Error::from).and_then(|catalogue| {
        let mut waiting = complete::set_aside(data, &catalogue)?;
        waiting.extend(complete::vanished(data, &catalogue, None, None)?);
        let overlaps: usize = DataSet::ALL.into_iter().map(|set| catalogue.overlaps(set).len()).sum();
        Ok((catalogue.days.len(), waiting.len(), overlaps))
    });
    match looked {
        Ok((days, 0, 0)) => good("archive", format!("{days} days, no overlaps, nothing set aside, nothing gone")),
        Ok((_, waiting, 0)) => bad(
            "archive",
            format!("{waiting} segments were set aside as damaged, or are gone"),
            "run `etl verify --archive`",
        ),
        Ok((.., overlaps)) => {
            bad("archive", format!("{overlaps} overlaps"), "`etl ls` names them; one of each two must go")
        }
        Err(error) => bad("archive", format!("{error:#}"), "check the disk and the permissions of the archive"),
    }
}

fn database(args: &Args, shutdown: &Shutdown) -> Check {
    const REMEDY: &str =
        "check --mongodb, the password (KAFKASPIDER_MONGODB_PASSWORD or --mongodb-password-file), and that it runs";
    let target = match args.server.target() {
        Ok(Some(target)) => target,
        Ok(None) => return good("database", "none is named (--mongodb)"),
        Err(error) => return bad("database", format!("{error:#}"), REMEDY),
    };
    let began = Instant::now();
    let asked = args.server.quick().connect(&target, shutdown).and_then(|mongo| {
        // to be let in is not enough: this asks for rights on the database
        mongo.wait(mongo.link().command(doc! { "listCollections": 1, "nameOnly": true }))?;
        Ok(mongo.link().one_by_one())
    });
    match asked {
        Ok(ferret) => {
            let kind = if ferret { "FerretDB" } else { "MongoDB" };
            good("database", format!("{} ({kind}) answers in {}", target.shown(), human::duration(began.elapsed())))
        }
        Err(error) => bad("database", format!("{error:#}"), REMEDY),
    }
}
