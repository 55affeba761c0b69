//! `etl import`: what others have collected, into the archive, without a bus.
//!
//! An import is a source of its own: its segments are named by a hash of what was imported, with ordinals as offsets. So a
//! name that is there is done, on whatever day; importing twice adds nothing, and an import that was interrupted is finished
//! by running it again.

mod folder;
mod media;
mod segments;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use archive::{DataDir, Day, Lock, TmpDir};
use program::{Common, Exit, Misuse, Progress, Shutdown, human};

use crate::world;
use folder::Folder;
use segments::Import;

/// Name of the lock, and of the folders of unfinished files.
const PROGRAM: &str = "import";

/// Import a folder of files as a site
///
/// Each file becomes an artefact with status 200 whose URL is --base and the file's path; `index.html` is also reached by
/// its folder's URL, through a redirect. Segments are named by a hash of base, crawl, paths and contents: importing the same
/// again adds nothing, and what changed is an import of its own. Run `etl extract` afterwards. Needs no bus. Memory: one file
/// (at most 15 MiB), and about 200 bytes for each file's name.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder to import
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// URL of the folder, for example https://docs.example.org/manual/
    #[arg(long, value_name = "URL")]
    base: String,
    /// Name of the crawl that the artefacts belong to
    #[arg(long, value_name = "NAME", default_value = "main")]
    crawl: String,
    /// Day of the archive, UTC [default: today]
    #[arg(long, value_name = "DAY")]
    day: Option<Day>,
    /// Follow symbolic links that lead out of the folder, too
    #[arg(long)]
    follow_links: bool,
    /// Only say what would be imported
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let started = Instant::now();
    let base = folder::base(&args.base).map_err(|why| Misuse::new(format!("--base {}: {why}", args.base)))?;
    let mut folder = Folder::walk(&args.dir, &base, args.follow_links)?;
    let progress = Progress::new("import", "files", Some(folder.entries.len() as u64 * 2));
    let Some(hash) = folder.hash(&args.crawl, &progress, shutdown)? else { return Ok(Exit::Interrupted) };
    for trouble in &folder.troubles {
        tracing::error!("{trouble}; it is left out");
    }
    let data = DataDir::new(&common.data);
    let now = world::now()?;
    let import = Import {
        data: &data,
        hash: &hash,
        crawl: &args.crawl,
        base: &base,
        at: args.day.map_or(now, |day| if day == Day::of_millis(now) { now } else { day.start_millis() }),
    };
    if folder.entries.is_empty() {
        anyhow::ensure!(folder.troubles.is_empty(), "nothing in {} can be read", args.dir.display());
        tracing::warn!("{} has no files", args.dir.display());
    }
    let done = if args.dry_run {
        import.missing(&folder)?
    } else {
        let _lock = Lock::take(&data, PROGRAM)?;
        TmpDir::sweep(&data, PROGRAM)?;
        let tmp = TmpDir::create(&data, PROGRAM)?;
        let Some(done) = import.write(&folder, tmp.path(), &progress, shutdown)? else { return Ok(Exit::Interrupted) };
        done
    };
    progress.finish();
    let troubles = folder.troubles.len() as u64;
    if common.json {
        println!(
            "{}",
            serde_json::json!({
                "import": hash, "base": base, "rows": done.rows, "segments": done.segments, "bytes": done.bytes,
                "there": done.there, "left_out": troubles, "outside": folder.outside, "dry_run": args.dry_run,
                "seconds": started.elapsed().as_secs_f64(),
            })
        );
    } else {
        println!(
            "{} {} files and redirects ({}) of {} in {}; {} were there already",
            if args.dry_run { "would import" } else { "imported" },
            human::count(done.rows),
            human::bytes(done.bytes),
            args.dir.display(),
            human::duration(started.elapsed()),
            human::count(done.there)
        );
        if folder.outside > 0 {
            println!("  {} symbolic links lead out of the folder: --follow-links", human::count(folder.outside));
        }
        if troubles > 0 {
            println!("  {} files were left out; see above", human::count(troubles));
        }
    }
    Ok(if troubles > 0 { Exit::Partly } else { Exit::Done })
}
