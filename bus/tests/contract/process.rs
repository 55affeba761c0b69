//! Another process on the same bus: the test executable, started again with a part to play.
//!
//! A part speaks in lines on its standard output that begin with `@ `, and ends when its standard input does.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use bus::PublishError;

use super::*;

/// Names the part and the bus, as `part url`.
const PART: &str = "BUS_TEST_PART";

/// What the suite's `another_process` runs: nothing, unless this process was started to play a part.
pub fn run() {
    let Ok(text) = std::env::var(PART) else { return };
    let (part, url) = text.split_once(' ').unwrap();
    if part == "create" {
        return create(url);
    }
    if part == "transfer" {
        return match transfer(url) {
            Ok(()) => println!("@ done"),
            Err(e) => println!("@ error: {e}"),
        };
    }
    let bus = Bus::open(url, &options()).unwrap();
    match part {
        "hold" => hold(&bus),
        "append" => append(&bus),
        "keep" => keep(&bus),
        other => panic!("no part is called {other}"),
    }
}

/// Joins the group `g` on `in`, and stays.
fn hold(bus: &Bus) {
    let (mut reader, _writer) = bus.join("g", "holder", &["in"]).unwrap();
    assigned(&mut reader);
    println!("@ joined");
    let _ = std::io::stdin().read(&mut [0]);
}

/// Reads in the group `g` on `in`, and when a partition is asked back does not release it, but publishes what it has read when it
/// is told to; says when it has lost that, and when it has partitions again.
fn keep(bus: &Bus) {
    let (mut reader, mut writer) = bus.join("g", "keeper", &["in"]).unwrap();
    let (mut owned, mut kept) = (Vec::new(), Vec::new());
    loop {
        match reader.poll(PATIENCE).unwrap() {
            Event::Assigned(a) => owned.extend(a),
            Event::Records(records) if kept.is_empty() => {
                kept = records;
                println!("@ reading");
            }
            Event::Revoking(_) => break,
            _ => {}
        }
    }
    println!("@ asked");
    let _ = std::io::stdin().read(&mut [0]);
    loop {
        match writer.publish(&transferred(&owned, &kept[..1])) {
            Err(PublishError::Aborted(_)) => std::thread::park_timeout(Duration::from_millis(50)),
            Err(PublishError::Lost(_)) => break,
            other => return println!("@ {other:?}"),
        }
    }
    println!("@ lost");
    while !matches!(reader.poll(PATIENCE).unwrap(), Event::Assigned(_)) {}
    println!("@ again");
}

/// Opens a bus that may not be there yet, and makes topics.
fn create(url: &str) {
    println!("@ ready");
    let _ = std::io::stdin().read(&mut [0]);
    let bus = Bus::open(url, &options()).unwrap();
    println!("@ {}", bus.cluster());
    bus.ensure(&[bus::topic::artefacts(), bus::topic::seals()]).unwrap();
    bus.append(&[output("seals", 0, "k", "x")]).unwrap();
    println!("@ done");
}

/// Appends batches of ten numbered records to `t`.
fn append(bus: &Bus) {
    println!("@ ready");
    let _ = std::io::stdin().read(&mut [0]);
    for n in 0..200 {
        let outputs: Vec<_> =
            (0..10).map(|i| output("t", i % 2, &format!("{} {}", std::process::id(), n * 10 + i), "x")).collect();
        bus.append(&outputs).unwrap();
    }
}

/// Copies every record of `in` to `out` and `copy`, a few in a publish, and says what is committed.
fn transfer(url: &str) -> Result<(), PublishError> {
    let bus = Bus::open(url, &options())?;
    let (mut reader, mut writer) = bus.join("g", "transfer", &["in"])?;
    println!("@ joined");
    let mut owned = Vec::new();
    loop {
        match reader.poll(Duration::from_millis(300))? {
            Event::Assigned(a) => owned.extend(a),
            Event::Records(records) => {
                for some in records.chunks(3) {
                    writer.publish(&transferred(&owned, some))?;
                    println!("@ {}", some[some.len() - 1].offset + 1);
                }
            }
            Event::Idle => return Ok(()),
            other => panic!("{other:?}"),
        }
    }
}

/// The publish that moves some records of one partition.
pub fn transferred(owned: &[Assignment], records: &[Delivered]) -> Batch {
    let mut batch = Batch::default();
    for d in records {
        for topic in ["out", "copy"] {
            batch.outputs.push(Output { topic: topic.into(), partition: d.partition, record: d.record.clone() });
        }
        let own = owned.iter().find(|a| a.epoch == d.epoch && a.partition == d.partition).unwrap();
        batch.covers.push(cover(own, d.offset + 1));
    }
    batch
}

/// A process that plays a part. Killed when dropped.
pub struct Player {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Player {
    pub fn start(part: &str, url: &str) -> Player {
        Player::start_under(&[], part, url)
    }

    /// Under a program such as strace, with its arguments.
    pub fn start_under(under: &[&str], part: &str, url: &str) -> Player {
        let me = std::env::current_exe().unwrap();
        let mut command = match under {
            [] => Command::new(&me),
            [program, arguments @ ..] => {
                let mut c = Command::new(program);
                c.args(arguments).arg(&me);
                c
            }
        };
        command.args(["--exact", "another_process", "--nocapture", "--test-threads=1"]);
        command.env(PART, format!("{part} {url}")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(config) = CONFIGURED.get() {
            command.env(CONFIG, config);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Player { child, lines }
    }

    /// What it says next; none when it has ended.
    pub fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness writes its own text without a line end before what a part says.
            if let Some((_, said)) = line.split_once("@ ") {
                return Some(said.trim().to_owned());
            }
        }
    }

    pub fn expect(&mut self, want: &str) {
        assert_eq!(self.line().as_deref(), Some(want));
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets a part that waits go on.
    pub fn go(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end. True when it ended well.
    pub fn end(&mut self) -> bool {
        self.go();
        std::io::copy(&mut self.lines, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
