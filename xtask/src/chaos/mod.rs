//! `chaos`: spider and stager are killed (-9) at random during a crawl, and in the end nothing is lost, nothing is
//! twice, and the spider was polite all the time.

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
/// requests to a host, over kills too; one connection a host, but for those of killed predecessors.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
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

/// The crawl must get on within this time, or it is stuck.
const STUCK: Duration = Duration::from_secs(120);

impl Chaos {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
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

        let game = Game { chaos: self, executables, folder: folder.clone(), random: Random::new(seed) };
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
}

impl Game<'_> {
    /// Plays to the end; gives what is wrong.
    fn play(mut self) -> anyhow::Result<Vec<String>> {
        let (running, seeds, expected) = self.chaos.serve(self.folder.join("server.jsonl"))?;
        let running = Arc::new(running);
        let clock = running.clone();
        let stalls = Stalls::watch(move || clock.now_us());
        let (spider, stager) = (self.spider(&seeds), self.stager());
        let began = Instant::now();
        let mut spider = Player::start("spider", spider, &self.folder)?;
        let mut stager = Player::start("stager", stager, &self.folder)?;
        let kills_us = self.kill(&running, &mut spider, &mut stager)?;
        self.wait_for_the_end(&running, &mut spider, &mut stager)?;
        let (spider_kills, stager_kills) = (spider.kills, stager.kills);
        stager.drain()?;
        let once = Line::new(&self.executables["etl"]).args(["stage", "--once", "--data"]).arg(&self.folder);
        process::capture_well(&once)?;
        let took = began.elapsed();

        let audit = Line::new(&self.executables["audit"]).arg(&self.folder);
        let audit = Audit::read(&process::capture_well(&audit)?)?;
        let expected_manners = manners::Expected {
            delay_us: (self.chaos.delay * 1e6) as u64,
            kills_us: &kills_us,
            stalls_us: &stalls.seen(),
        };
        let manners = manners::judge(&running.events(), &expected_manners);
        let (segments, rows) = audit.counts();
        let requests = running.request_count();
        println!("killed: spider {spider_kills} times, stager {stager_kills} times, in {:.1} s", took.as_secs_f64());
        println!("pages archived with status 200: {}; rows {rows} in {segments} segments", audit.pages().len());
        println!("requests: {requests} to {} hosts", manners.hosts);
        let shortest = manners.shortest_us.unwrap_or_default() as f64 / 1e3;
        println!("shortest gap at a host: {shortest:.1} ms, asked for {:.1} ms", self.chaos.delay * 1e3);

        let mut faults = audit.faults();
        faults.extend(manners.breaches);
        faults.extend(self.pages(&audit, expected.as_ref(), &running));
        Ok(faults)
    }

    fn spider(&self, seeds: &[String]) -> Line {
        let line = Line::new(&self.executables["spider"]).arg("crawl").args(seeds).arg("--until-idle");
        let line = match self.chaos.limit {
            Some(limit) => line.args(["--pages", &limit.to_string()]),
            None => line,
        };
        let line = line.args(["--delay", &self.chaos.delay.to_string(), "--allow-address", "127.0.0.0/8"]);
        line.arg("--data").arg(&self.folder)
    }

    /// Small segments, so that there is much sealing to be killed in.
    fn stager(&self) -> Line {
        let line = Line::new(&self.executables["etl"]).args(["stage", "--segment-rows", "40", "--segment-age", "2s"]);
        line.args(["--segment-idle", "500ms", "--data"]).arg(&self.folder)
    }

    /// Kills spread over the crawl by its progress, some of them soon after a start. Gives when the spider was killed.
    fn kill(&mut self, running: &Running, spider: &mut Player, stager: &mut Player) -> anyhow::Result<Vec<u64>> {
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
                done = self.wait(running, spider, stager, |running| running.request_count() >= enough)?;
            }
            let pause = Duration::from_millis(self.random.below(if soon { 300 } else { 40 }));
            let until = Instant::now() + pause;
            done |= self.wait(running, spider, stager, |_| Instant::now() >= until)?;
            if !done && !self.random.once_in(3) {
                kills_us.push(running.now_us());
                spider.kill_and_restart()?;
                // between these two the spider died
                kills_us.push(running.now_us());
            } else {
                stager.kill_and_restart()?;
            }
        }
        Ok(kills_us)
    }

    /// Waits for a condition; true when the spider is done already.
    fn wait(
        &self,
        running: &Running,
        spider: &mut Player,
        stager: &mut Player,
        enough: impl Fn(&Running) -> bool,
    ) -> anyhow::Result<bool> {
        let (mut seen, mut since) = (running.request_count(), Instant::now());
        loop {
            interrupt::check()?;
            anyhow::ensure!(!stager.is_done()?, "the stager ended by itself, though it was to follow the bus");
            if enough(running) {
                return spider.is_done();
            }
            if spider.is_done()? {
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

    fn wait_for_the_end(&self, running: &Running, spider: &mut Player, stager: &mut Player) -> anyhow::Result<()> {
        while !self.wait(running, spider, stager, |_| false)? {}
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
