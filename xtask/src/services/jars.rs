//! The jars of a server: resolved once from Maven Central into a cache that all checkouts of this user share.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::line::Line;
use crate::process::{self, Output, Process};

const POM: &str = include_str!("../../services/kafka-pom.xml");
const LOG_SETTINGS: &str = include_str!("../../services/kafka-log4j2.xml");
/// Names the folder: another version of Kafka, or other jars, go into another one.
const NAME: &str = "kafka-4.3.1";

/// Folder with Kafka's jars (`lib/`) and the settings of its log.
pub(super) fn kafka() -> anyhow::Result<PathBuf> {
    let services = cache()?.join("services");
    let done = services.join(NAME);
    if !done.is_dir() {
        fs::create_dir_all(&services).with_context(|| format!("cannot make {}", services.display()))?;
        let path = services.join(format!("{NAME}.lock"));
        let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        // another process may have done it meanwhile
        if !done.is_dir() {
            resolve(&services, &done)?;
        }
    }
    let settings = done.join("log4j2.xml");
    if fs::read_to_string(&settings).is_ok_and(|text| text == LOG_SETTINGS) {
        return Ok(done);
    }
    let fresh = done.join(format!("log4j2.xml.{}", std::process::id()));
    fs::write(&fresh, LOG_SETTINGS).with_context(|| format!("cannot write {}", fresh.display()))?;
    fs::rename(&fresh, &settings).with_context(|| format!("cannot write {}", settings.display()))?;
    Ok(done)
}

fn resolve(services: &Path, done: &Path) -> anyhow::Result<()> {
    let fresh = services.join(format!("{NAME}.new"));
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    let pom = fresh.join("pom.xml");
    fs::write(&pom, POM).with_context(|| format!("cannot write {}", pom.display()))?;
    eprintln!("resolving {NAME} from Maven Central (54 MB, once)");
    let log = services.join("maven.log");
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let line = Line::new("mvn").args(["-B", "-ntp", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    let line = line.args(["-DoutputDirectory=lib"]).dir(&fresh);
    let mut maven = Process::start(&line, Output::File(file)).context("Maven is needed: apt-get install maven")?;
    let status = maven.wait()?;
    anyhow::ensure!(
        status.success(),
        "the jars of {NAME} could not be resolved: {}; what Maven said is in {}",
        process::told(status),
        log.display()
    );
    fs::rename(&fresh, done).with_context(|| format!("cannot make {}", done.display()))
}

/// `kafkaspider` below the user's cache folder.
fn cache() -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Ok(given.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("kafkaspider"))
}
