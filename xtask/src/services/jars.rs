//! The jars of a server, and of Spark's reader of Kafka: resolved once from Maven Central into a cache that all checkouts of this user share.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::line::Line;
use crate::process::{self, Output, Process};

const KAFKA: Jars = Jars { name: "kafka-4.3.1", pom: include_str!("../../services/kafka-pom.xml"), megabytes: 54 };
const SPARK: Jars =
    Jars { name: "spark-kafka-4.2.0", pom: include_str!("../../services/spark-kafka-pom.xml"), megabytes: 10 };
const LOG_SETTINGS: &str = include_str!("../../services/kafka-log4j2.xml");

/// What is resolved.
struct Jars {
    /// Names the folder: another version, or other jars, go into another one.
    name: &'static str,
    pom: &'static str,
    megabytes: u32,
}

/// Folder with Kafka's jars (`lib/`) and the settings of its log.
pub(super) fn kafka() -> anyhow::Result<PathBuf> {
    let done = KAFKA.folder()?;
    let settings = done.join("log4j2.xml");
    if fs::read_to_string(&settings).is_ok_and(|text| text == LOG_SETTINGS) {
        return Ok(done);
    }
    let fresh = done.join(format!("log4j2.xml.{}", std::process::id()));
    fs::write(&fresh, LOG_SETTINGS).with_context(|| format!("cannot write {}", fresh.display()))?;
    fs::rename(&fresh, &settings).with_context(|| format!("cannot write {}", settings.display()))?;
    Ok(done)
}

/// Folder with the jars (`lib/`) by which Spark 4.2.0 reads Kafka.
pub(crate) fn spark() -> anyhow::Result<PathBuf> {
    SPARK.folder()
}

impl Jars {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        let services = cache()?.join("services");
        let done = services.join(self.name);
        if done.is_dir() {
            return Ok(done);
        }
        fs::create_dir_all(&services).with_context(|| format!("cannot make {}", services.display()))?;
        let path = services.join(format!("{}.lock", self.name));
        let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        // another process may have done it meanwhile
        if !done.is_dir() {
            self.resolve(&services, &done)?;
        }
        Ok(done)
    }

    fn resolve(&self, services: &Path, done: &Path) -> anyhow::Result<()> {
        let Jars { name, pom, megabytes } = self;
        let fresh = services.join(format!("{name}.new"));
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
        let file = fresh.join("pom.xml");
        fs::write(&file, pom).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("resolving {name} from Maven Central ({megabytes} MB, once)");
        let log = services.join("maven.log");
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let line =
            Line::new("mvn").args(["-B", "-ntp", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
        let line = line.args(["-DoutputDirectory=lib"]).dir(&fresh);
        let mut maven = Process::start(&line, Output::File(file)).context("Maven is needed: apt-get install maven")?;
        let status = maven.wait()?;
        anyhow::ensure!(
            status.success(),
            "the jars of {name} could not be resolved: {}; what Maven said is in {}",
            process::told(status),
            log.display()
        );
        fs::rename(&fresh, done).with_context(|| format!("cannot make {}", done.display()))
    }
}

/// `kafkaspider` below the user's cache folder.
fn cache() -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Ok(given.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("kafkaspider"))
}
