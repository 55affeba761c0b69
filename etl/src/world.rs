//! What the commands touch of the world: the bus, the clock, the machine's name, the disk.

use std::path::Path;

use anyhow::{Context, Result, bail};
use archive::DataDir;
use bus::clock::Clock;
use bus::{Bus, Options};
use program::Common;

/// Hidden: the time that "now" is when the process starts, RFC 3339; the bus's clock is shifted to it.
const TEST_CLOCK: &str = "KAFKASPIDER_TEST_CLOCK";

/// Opens the bus, making an embedded log that is missing.
pub fn open_bus(common: &Common) -> Result<Bus> {
    let url = common.bus_url();
    let options = Options { config: common.bus_config.clone(), clock: clock()? };
    Bus::open(&url, &options).context("cannot open the bus")
}

/// Opens the bus for looking only: an embedded log that is missing stays so, and is `None`.
pub fn look_at_bus(common: &Common) -> Result<Option<Bus>> {
    let url = common.bus_url();
    let missing = !url.starts_with("kafka://") && !Path::new(&url).exists();
    if missing { Ok(None) } else { open_bus(common).map(Some) }
}

/// Opens the bus for looking only; a missing one is an error that says what makes one.
pub fn need_bus(common: &Common) -> Result<Bus> {
    match look_at_bus(common)? {
        Some(bus) => Ok(bus),
        None => bail!(
            "there is no embedded log at {}; `spider crawl` makes one, --bus and --data name another place",
            common.bus_url()
        ),
    }
}

/// The data directory of a command that only looks: one that does not exist is a typing error more often than an empty archive.
pub fn need_data(common: &Common) -> Result<DataDir> {
    let root = &common.data;
    match std::fs::metadata(root) {
        Ok(there) if there.is_dir() => Ok(DataDir::new(root)),
        Ok(_) => bail!("{} is no folder; --data names the data directory", root.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "there is no data directory at {}; `spider crawl` and `etl stage` make one, --data names another place",
            root.display()
        ),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", root.display())),
    }
}

fn clock() -> Result<Clock> {
    let Ok(text) = std::env::var(TEST_CLOCK) else { return Ok(Clock::System) };
    let at = chrono::DateTime::parse_from_rfc3339(&text)
        .with_context(|| format!("{TEST_CLOCK}={text:?} is not an RFC 3339 time"))?;
    Ok(Clock::Shifted(at.timestamp_millis() - chrono::Utc::now().timestamp_millis()))
}

/// Name of this machine.
pub fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".into() } else { name.into() }
}

/// Now, milliseconds since 1970 UTC, on the clock that the bus would have.
pub fn now() -> Result<i64> {
    Ok(clock()?.now())
}

/// Bytes free for us on the disk of a path.
pub fn free_space(path: &Path) -> Option<u64> {
    path.ancestors().find(|p| p.exists()).and_then(|p| fs4::available_space(p).ok())
}

/// True when an error is, at its root, a full disk or an exhausted quota.
pub fn is_disk_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        let kind = io.map(std::io::Error::kind);
        matches!(kind, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
            || FULL.iter().any(|words| cause.to_string().contains(words))
    })
}

/// How libraries say it when they pass on only the text.
const FULL: [&str; 3] = ["No space left on device", "Disk quota exceeded", "database or disk is full"];
