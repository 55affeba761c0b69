//! `chaos`: spiders and stagers are killed (-9) at random during a crawl, on Kafka suspended too, and in the end nothing is
//! lost, nothing is twice, and the spiders were polite all the time.

mod audit;
mod manners;
mod player;
mod random;
mod stalls;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use site::{Behaviour, Running, Site};

use crate::line::Line;
use crate::services::{Kafka, Kind, Life};
use crate::workspace::Workspace;
use crate::{exit, interrupt, process, serve};
use audit::Audit;
use player::Player;
use random::Random;
use stalls::Stalls;

/// Kills spider and stager at random over a crawl, then checks archive, bus and the server's log
///
/// Checked in the end: every page archived exactly once; no id twice, in the archive or on the bus; the offsets of each
/// partition covered without overlap or gap; archive and bus alike record by record; the delay kept between any two
/// requests to a host, over kills too; one connection a host, but for those of killed predecessors. With --bus kafka several
/// spiders and stagers may be at it, each with a data directory of its own; they are also suspended for some seconds, and of
/// the manners the number of connections is checked: one a host, and one for each predecessor that was killed or suspended.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// Which bus; for kafka a broker is started
    #[arg(long, value_enum, default_value_t = Bus::Embedded)]
    bus: Bus,
    /// Spiders at a time; more than one needs --bus kafka
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    spiders: u8,
    /// Stagers at a time, each with an archive of its own; more than one needs --bus kafka
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    stagers: u8,
    /// How many processes are killed
    #[arg(long, value_name = "N", default_value_t = 100)]
    kills: usize,
    /// Pages of the generated site
    #[arg(long, value_name = "N", default_value_t = 3000, conflicts_with = "site")]
    pages: u32,
    /// Hosts that the generated site is spread over: 127.0.0.1, 127.0.0.2 …
    #[arg(long, value_name = "N", default_value_t = 8, conflicts_with = "site", value_parser = clap::value_parser!(u8).range(1..=200))]
    hosts: u8,
    /// Crawl this folder instead of a generated site; every page that is served must then be archived
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// Give the spider --pages N: it must end with exactly N pages
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Delay between requests to a host, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.1)]
    delay: f64,
    /// Repeat the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Folder for data and logs; kept when a check fails [default: below the target folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use the executables beside this one instead of building them; for tests
    #[arg(long, hide = true)]
    built: bool,
}

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Bus {
    Embedded,
    Kafka,
}

/// What makes a game on Kafka short: members that are gone are found out soon, and so are their transactions.
const QUICK: &str = "session.timeout.ms=3000\nheartbeat.interval.ms=500\ntransaction.timeout.ms=12000\n";
/// How long after a kill or a suspension a predecessor's connection may still be seen: until the session and the transaction
/// are over, and the successor has begun.
const SUCCESSION_US: u64 = 30_000_000;

/// The crawl must get on within this time, or it is stuck.
const STUCK: Duration = Duration::from_secs(120);

impl Chaos {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        anyhow::ensure!(
            self.bus == Bus::Kafka || (self.spiders == 1 && self.stagers == 1),
            "the embedded log lets one member into a group; several spiders or stagers need --bus kafka"
        );
        let workspace = Workspace::find()?;
        let names = ["spider", "etl", "example:audit"];
        let executables = if self.built {
            Workspace::built(&names)?
        } else {
            let build = workspace.build(&names);
            build.line.print();
            build.run()?
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = self.seed.unwrap_or(u64::from(now.subsec_nanos()) ^ u64::from(std::process::id()));
        let folder = self.data.clone().unwrap_or_else(|| workspace.target.join("chaos").join(seed.to_string()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        anyhow::ensure!(!folder.join("bus.db").exists(), "{} has data already; give another --data", folder.display());
        println!("seed {seed}, data and logs in {}", folder.display());

        let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
        let broker = match self.bus {
            Bus::Embedded => None,
            Bus::Kafka => {
                let place = folder.join("kafka");
                std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
                std::fs::write(folder.join("quick.properties"), QUICK).context("cannot write quick.properties")?;
                Some(Kafka::start(Kind::Kafka, &place, Life::Guarded)?)
            }
        };
        let game = Game { chaos: self, executables, folder: folder.clone(), random: Random::new(seed), broker };
        let faults = game.play()?;
        if faults.is_empty() {
            let _ = std::fs::remove_dir_all(&folder);
            println!("chaos: every check holds");
            return Ok(exit::DONE);
        }
        faults.iter().take(30).for_each(|fault| println!("  {fault}"));
        anyhow::bail!("{} faults (seed {seed}); data and logs are kept in {}", faults.len(), folder.display())
    }

    /// The site, and what must be archived of it where that is known.
    fn serve(&self, log: PathBuf) -> anyhow::Result<(Running, Vec<String>, Option<BTreeSet<String>>)> {
        if let Some(folder) = &self.site {
            let running = serve::open(folder)?.log(log).start().context("cannot serve")?;
            let seed = running.url("/");
            return Ok((running, vec![seed], None));
        }
        let pages = self.pages.div_ceil(u32::from(self.hosts));
        // some answers take longer than the delay: then only manners keep a second connection closed
        let slow_ms = (self.delay * 1_500.0) as u64;
        let mut site = Site::empty().misbehave("/tree/*", Behaviour::Tree { pages, fanout: 10, slow_ms }).log(log);
        let names: Vec<String> = (2..=self.hosts).map(|n| format!("host{n}")).collect();
        for name in &names {
            site = site.host(name, None);
        }
        let running = site.start().context("cannot serve")?;
        let hosts: Vec<&str> = std::iter::once("main").chain(names.iter().map(String::as_str)).collect();
        let url = |host: &str, page| running.url_on(host, &format!("/tree/{page}.html")).unwrap_or_default();
        let seeds = hosts.iter().map(|host| url(host, 0)).collect();
        let expected = hosts.iter().flat_map(|host| (0..pages).map(|page| url(host, page))).collect();
        Ok((running, seeds, Some(expected)))
    }
}

/// One run.
struct Game<'a> {
    chaos: &'a Chaos,
    executables: BTreeMap<String, PathBuf>,
    folder: PathBuf,
    random: Random,
    broker: Option<Kafka>,
}

/// All that play.
struct Players {
    spiders: Vec<Player>,
    stagers: Vec<Player>,
}

impl Players {
    fn all(&mut self) -> impl Iterator<Item = &mut Player> {
        self.spiders.iter_mut().chain(&mut self.stagers)
    }

    /// Whether every spider has ended by itself.
    fn are_done(&mut self) -> anyhow::Result<bool> {
        self.spiders.iter_mut().try_fold(true, |done, spider| Ok(done & spider.is_done()?))
    }
}

impl Game<'_> {
    /// Plays to the end; gives what is wrong.
    fn play(mut self) -> anyhow::Result<Vec<String>> {
        let (running, seeds, expected) = self.chaos.serve(self.folder.join("server.jsonl"))?;
        let running = Arc::new(running);
        let clock = running.clone();
        let stalls = Stalls::watch(move || clock.now_us());
        let began = Instant::now();
        let spider = |n| Player::start(&format!("spider-{n}"), self.spider(&seeds, n), &self.folder);
        let stager = |n| Player::start(&format!("stager-{n}"), self.stager(n), &self.folder);
        let mut players = Players {
            spiders: (1..=self.chaos.spiders).map(spider).collect::<anyhow::Result<_>>()?,
            stagers: (1..=self.chaos.stagers).map(stager).collect::<anyhow::Result<_>>()?,
        };
        let kills_us = self.kill(&running, &mut players)?;
        self.wait_for_the_end(&running, &mut players)?;
        let sum = |of: &[Player]| of.iter().fold((0, 0), |(k, s), it| (k + it.kills, s + it.stops));
        let ((spider_kills, spider_stops), (stager_kills, stager_stops)) =
            (sum(&players.spiders), sum(&players.stagers));
        for stager in players.stagers {
            stager.drain()?;
        }
        // what the drained ones held is staged by the first, when their sessions are over
        let once = Line::new(&self.executables["etl"]).args(["stage", "--once"]);
        process::capture_well(&self.placed(once, "stager", 1))?;
        let took = began.elapsed();

        let archives = (1..=self.chaos.stagers).map(|n| self.data("stager", n));
        let audit = Line::new(&self.executables["audit"]).args(archives).args(self.broker.as_ref().map(Kafka::url));
        let audit = Audit::read(&process::capture_well(&audit)?)?;
        let expected_manners = manners::Expected {
            delay_us: (self.chaos.delay * 1e6) as u64,
            kills_us: &kills_us,
            stalls_us: &stalls.seen(),
            succession_us: self.broker.as_ref().map(|_| SUCCESSION_US),
        };
        let manners = manners::judge(&running.events(), &expected_manners);
        let (segments, rows) = audit.counts();
        let requests = running.request_count();
        println!("killed: spider {spider_kills} times, stager {stager_kills} times, in {:.1} s", took.as_secs_f64());
        if self.broker.is_some() {
            println!("suspended: spider {spider_stops} times, stager {stager_stops} times");
        }
        println!("pages archived with status 200: {}; rows {rows} in {segments} segments", audit.pages().len());
        println!("requests: {requests} to {} hosts", manners.hosts);
        let shortest = manners.shortest_us.unwrap_or_default() as f64 / 1e3;
        println!("shortest gap at a host: {shortest:.1} ms, asked for {:.1} ms", self.chaos.delay * 1e3);

        let mut faults = audit.faults();
        faults.extend(manners.breaches);
        faults.extend(self.pages(&audit, expected.as_ref(), &running));
        Ok(faults)
    }

    /// Data directory of one player: all share the game's on the embedded log.
    fn data(&self, role: &str, n: u8) -> PathBuf {
        match self.broker {
            Some(_) => self.folder.join(format!("{role}-{n}")),
            None => self.folder.clone(),
        }
    }

    /// With data directory, bus and instance.
    fn placed(&self, line: Line, role: &str, n: u8) -> Line {
        let line = line.arg("--data").arg(self.data(role, n));
        let Some(broker) = &self.broker else { return line };
        let line = line.args(["--bus", broker.url(), "--instance", &format!("{role}-{n}")]);
        line.arg("--bus-config").arg(self.folder.join("quick.properties"))
    }

    fn spider(&self, seeds: &[String], n: u8) -> Line {
        let line = Line::new(&self.executables["spider"]).arg("crawl").args(seeds).arg("--until-idle");
        let line = match self.chaos.limit {
            Some(limit) => line.args(["--pages", &limit.to_string()]),
            None => line,
        };
        let line = line.args(["--delay", &self.chaos.delay.to_string(), "--allow-address", "127.0.0.0/8"]);
        self.placed(line, "spider", n)
    }

    /// Small segments, so that there is much sealing to be killed in.
    fn stager(&self, n: u8) -> Line {
        let line = Line::new(&self.executables["etl"]).args(["stage", "--segment-rows", "40", "--segment-age", "2s"]);
        self.placed(line.args(["--segment-idle", "500ms"]), "stager", n)
    }

    /// Kills spread over the crawl by its progress, some of them soon after a start. Gives when the spider was killed.
    fn kill(&mut self, running: &Running, players: &mut Players) -> anyhow::Result<Vec<u64>> {
        let whole = match &self.chaos.site {
            Some(folder) => html_files(folder),
            None => self.chaos.pages as usize,
        };
        let total = self.chaos.limit.unwrap_or(whole).min(whole);
        let step = total as f64 / (self.chaos.kills + 1) as f64;
        let mut kills_us = Vec::new();
        let mut done = false;
        for kill in 1..=self.chaos.kills {
            let soon = self.random.once_in(4);
            if !soon && !done {
                let jitter = self.random.below(1 + step as u64) as usize;
                let enough = (kill as f64 * step) as usize + jitter;
                done = self.wait(running, players, &mut kills_us, |running| running.request_count() >= enough)?;
            }
            let pause = Duration::from_millis(self.random.below(if soon { 300 } else { 40 }));
            let until = Instant::now() + pause;
            done |= self.wait(running, players, &mut kills_us, |_| Instant::now() >= until)?;
            if self.broker.is_some() && self.random.once_in(3) {
                let time = Duration::from_millis(200 + self.random.below(6_000));
                let n = self.random.below(players.all().count() as u64) as usize;
                if let Some(player) = players.all().nth(n) {
                    kills_us.push(running.now_us());
                    player.suspend(time)?;
                }
            }
            if !done && !self.random.once_in(3) {
                let n = self.random.below(players.spiders.len() as u64) as usize;
                kills_us.push(running.now_us());
                players.spiders[n].kill_and_restart()?;
                // between these two the spider died
                kills_us.push(running.now_us());
            } else {
                let n = self.random.below(players.stagers.len() as u64) as usize;
                players.stagers[n].kill_and_restart()?;
            }
        }
        // nobody stays suspended
        while players.all().any(|player| player.is_suspended()) {
            self.wait(running, players, &mut kills_us, |_| true)?;
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(kills_us)
    }

    /// Waits for a condition; true when the spider is done already.
    fn wait(
        &self,
        running: &Running,
        players: &mut Players,
        kills_us: &mut Vec<u64>,
        enough: impl Fn(&Running) -> bool,
    ) -> anyhow::Result<bool> {
        let (mut seen, mut since) = (running.request_count(), Instant::now());
        loop {
            interrupt::check()?;
            for stager in &mut players.stagers {
                anyhow::ensure!(!stager.is_done()?, "a stager ended by itself, though it was to follow the bus");
            }
            for _ in players.all().filter_map(|player| player.resume().then_some(())) {
                kills_us.push(running.now_us());
            }
            if enough(running) {
                return players.are_done();
            }
            if players.are_done()? {
                return Ok(true);
            }
            let now = running.request_count();
            if now > seen {
                (seen, since) = (now, Instant::now());
            }
            anyhow::ensure!(since.elapsed() < STUCK, "the crawl is stuck: no request for {} s", STUCK.as_secs());
            std::thread::park_timeout(Duration::from_millis(3));
        }
    }

    fn wait_for_the_end(&self, running: &Running, players: &mut Players) -> anyhow::Result<()> {
        while !self.wait(running, players, &mut Vec::new(), |_| false)? {}
        Ok(())
    }

    /// Pages against what should be there.
    fn pages(&self, audit: &Audit, expected: Option<&BTreeSet<String>>, running: &Running) -> Vec<String> {
        let pages = audit.pages();
        let mut faults = Vec::new();
        if let Some(limit) = self.chaos.limit
            && pages.len() != limit
        {
            faults.push(format!("{} pages are archived, asked for exactly {limit}", pages.len()));
        }
        match (expected, self.chaos.limit) {
            (Some(expected), None) => faults.extend(audit::compare(expected, &pages)),
            (Some(expected), Some(_)) => {
                faults.extend(audit::compare(expected, &pages).into_iter().filter(|it| it.contains("not to be")));
            }
            (None, _) => {
                let served = running.requests().into_iter().filter(|it| it.status == 200 && it.path != "/robots.txt");
                let served: BTreeSet<String> = served.map(|it| format!("http://{}{}", it.host, it.path)).collect();
                let limited = self.chaos.limit.is_some();
                let wrong = audit::compare(&served, &pages);
                // with a limit, a page that was being fetched when it was reached is given up
                faults.extend(wrong.into_iter().filter(|it| !limited || it.contains("not to be")));
            }
        }
        faults
    }
}

/// How many HTML files a folder has: about as many pages, by which the kills are spread over the crawl.
fn html_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |path: PathBuf| match path.is_dir() && !path.is_symlink() {
        true => html_files(&path),
        false => usize::from(path.extension().is_some_and(|extension| extension == "html")),
    };
    entries.map(|entry| count(entry.path())).sum()
}
