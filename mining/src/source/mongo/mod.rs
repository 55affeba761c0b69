//! MongoDB (or FerretDB) as a source: what `etl upload` brought there, of the days asked for, is streamed once into a small
//! archive of its own below `<data>/tmp/`, which is mined as any other and removed in the end.
//!
//! The server is asked for one day of one collection at a time (`day` is indexed) and sends batches; a row group at most is in
//! memory. A miner reads some data sets two or three times, and the server sends each only once. `scripts` are not uploaded, so
//! that data set is empty here. Times come in milliseconds, as BSON has them.

mod rows;
mod server;

use std::collections::BTreeSet;
use std::future::{Future, IntoFuture};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use archive::{DataDir, DataSet, Day, SegmentName, Source as Origin, TmpDir};
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::{Client, Database};
use program::{Progress, Shutdown};

use super::Interrupted;
use super::budget::Budget;
use crate::options::Options;
use crate::report::Pieces;
use rows::Rows;
pub use server::Server;

/// A server that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Offsets that each day's files claim: files of one day have the same, as files made of each other have.
const SPAN: i64 = 1 << 40;

/// What is wanted of a server.
pub struct Wanted<'a> {
    /// First and last day, span of reports and where files may be put.
    pub options: &'a Options,
    /// Data sets.
    pub sets: &'a [DataSet],
    /// With the bodies of artefacts, which stand in a collection of their own.
    pub bodies: bool,
}

/// Makes an archive of what is wanted; dropping it removes it.
pub fn fetch(server: &Server, wanted: &Wanted<'_>, budget: &Budget, shutdown: &Shutdown) -> Result<TmpDir> {
    let data = DataDir::new(&wanted.options.data);
    TmpDir::sweep(&data, "mine").context("cannot remove what an earlier run left")?;
    let dir = TmpDir::create(&data, "mine").context("documents need a place while they are mined")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let reading = async {
        let client = Client::with_options(server.options().await?).map_err(|error| told(server, &error))?;
        let reader = Reader { server, db: client.database(server.database()), budget, shutdown };
        reader.all(wanted, &DataDir::new(dir.path())).await
    };
    runtime.block_on(reading)?;
    Ok(dir)
}

struct Reader<'a> {
    server: &'a Server,
    db: Database,
    budget: &'a Budget,
    shutdown: &'a Shutdown,
}

impl Reader<'_> {
    async fn all(&self, wanted: &Wanted<'_>, into: &DataDir) -> Result<()> {
        let days = self.days(wanted).await?;
        self.warn(wanted, &days).await?;
        // Pages are always there, if without rows: they say which days there are.
        let sets: BTreeSet<DataSet> = wanted.sets.iter().copied().chain([DataSet::Pages]).collect();
        let progress = Progress::new("reading the database", "documents", None);
        for (number, day) in (0..).zip(days) {
            for &set in sets.iter().filter(|&&set| set != DataSet::Scripts) {
                let rows = wanted.sets.contains(&set);
                self.day(set, day, number, (rows, wanted.bodies), into, &progress)
                    .await
                    .with_context(|| format!("cannot read {set} of {day}"))?;
            }
        }
        progress.finish();
        Ok(())
    }

    /// Days of pages that the server has, of those asked for; where there are none, the days without pages whose upload is whole.
    async fn days(&self, wanted: &Wanted<'_>) -> Result<BTreeSet<Day>> {
        let pages = self.db.collection::<Document>(DataSet::Pages.name());
        let found = self.in_time(pages.distinct("day", doc! {}).into_future()).await?;
        let day = |value: &Bson| value.as_datetime().map(|time| Day::of_millis(time.timestamp_millis()));
        let all: BTreeSet<Day> = found.iter().filter_map(day).collect();
        let (from, to) = (wanted.options.from, wanted.options.to);
        let asked = |day: &Day| from.is_none_or(|from| from <= *day) && to.is_none_or(|to| *day <= to);
        let mut days: BTreeSet<Day> = all.iter().copied().filter(asked).collect();
        if !days.is_empty() {
            return Ok(days);
        }
        let ledger = self.db.collection::<Document>("ledger");
        let uploaded = ledger.distinct("day", doc! { "state": "verified", "partial": { "$ne": true } });
        days.extend(self.in_time(uploaded.into_future()).await?.iter().filter_map(day).filter(asked));
        let shown = self.server.shown();
        match (all.first(), all.last()) {
            _ if !days.is_empty() => {
                tracing::warn!("{shown} has no pages of the days asked for, and their upload is whole")
            }
            (Some(first), Some(last)) => {
                bail!("no pages in the days asked for; {shown} has pages from {first} to {last}")
            }
            _ => bail!("{shown} has no pages; to bring a day there: `etl upload --day DAY --mongodb {shown}`"),
        }
        Ok(days)
    }

    /// Says which days the uploader's ledger does not call whole; links that were not uploaded are an error, since a graph
    /// without edges would look like an answer.
    async fn warn(&self, wanted: &Wanted<'_>, days: &BTreeSet<Day>) -> Result<()> {
        let ledger = self.db.collection::<Document>("ledger");
        for &day in days {
            let mut cursor = self.in_time(ledger.find(doc! { "day": start(day) }).into_future()).await?;
            let (mut entries, mut whole, mut links) = (0, true, false);
            while self.in_time(cursor.advance()).await? {
                let entry = Document::try_from(cursor.current().to_owned()).context("the ledger is damaged")?;
                entries += 1;
                whole &= entry.get_str("state").is_ok_and(|state| state == "verified")
                    && !entry.get_bool("partial").unwrap_or(false);
                let uploaded = entry.get_array("collections").into_iter().flatten();
                links |= uploaded.filter_map(Bson::as_str).any(|name| name == DataSet::Links.name());
            }
            if entries > 0 && !links && wanted.sets.contains(&DataSet::Links) {
                let shown = self.server.shown();
                bail!(
                    "{shown} has no links of {day}; to bring them there: `etl upload --day {day} --collections \
                     artefacts,pages,bodies,links --mongodb {shown}`"
                );
            }
            if entries == 0 || !whole {
                tracing::warn!("the upload of {day} is not known to be whole; what is there is mined");
            }
        }
        Ok(())
    }

    /// One day of one data set becomes one file.
    async fn day(
        &self,
        set: DataSet,
        day: Day,
        number: i64,
        (with_rows, bodies): (bool, bool),
        into: &DataDir,
        progress: &Progress,
    ) -> Result<()> {
        let name = SegmentName::new(set, Origin::Partition(0), number * SPAN, (number + 1) * SPAN)?;
        let path = into.segment(day, &name);
        archive::create_dir(path.parent().context("a segment has no folder")?)?;
        let mut rows = Rows::new(set);
        let mut file = Pieces::create(&path, &rows.schema())?;
        if with_rows {
            let documents = self.db.collection::<RawDocumentBuf>(set.name());
            // Batches of at most so many documents: a page's text may be long.
            let batch = if set == DataSet::Links { 2_000 } else { 100 };
            let find = documents.find(doc! { "day": start(day) }).projection(rows.fields()).batch_size(batch);
            let mut cursor = self.in_time(find.into_future()).await?;
            while self.in_time(cursor.advance()).await? {
                rows.add(cursor.current())?;
                if bodies && set == DataSet::Artefacts {
                    self.body(&mut rows).await?;
                }
                progress.add(1);
                if rows.is_full() {
                    self.budget.check()?;
                    file.write(rows.take()?)?;
                }
            }
        }
        file.write(rows.take()?)?;
        file.finish()
    }

    /// Adds the body of the last row.
    async fn body(&self, rows: &mut Rows) -> Result<()> {
        let Some(hash) = rows.last_text("body_sha256").map(str::to_owned) else { return Ok(()) };
        let bodies = self.db.collection::<RawDocumentBuf>("bodies");
        let found = self.in_time(bodies.find_one(doc! { "_id": &hash }).into_future()).await?;
        let found = found.with_context(|| format!("the body {hash} is not there"))?;
        let compressed = found.get_binary("body").map_err(|error| anyhow!("the body {hash} is damaged: {error}"))?;
        let body = zstd::bulk::decompress(compressed.bytes, LONGEST_BODY);
        rows.set_body(body.with_context(|| format!("the body {hash} is damaged"))?);
        Ok(())
    }

    async fn in_time<T>(&self, attempt: impl Future<Output = mongodb::error::Result<T>>) -> Result<T> {
        if self.shutdown.requested() {
            bail!(Interrupted);
        }
        match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(told(self.server, &error)),
            Err(_) => bail!("{} does not answer; nothing was written: run it again", self.server.shown()),
        }
    }
}

/// More than any body has.
const LONGEST_BODY: usize = 16 << 20;

fn start(day: Day) -> DateTime {
    DateTime::from_millis(day.start_millis())
}

/// An error of the driver in one line, without secrets.
fn told(server: &Server, error: &mongodb::error::Error) -> anyhow::Error {
    use mongodb::error::ErrorKind;
    let text = program::redact(&error.kind.to_string()).replace('\n', " ");
    let short: String = text.chars().take(300).collect();
    let (shown, short) = (server.shown(), program::human::clean(&short));
    match &*error.kind {
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::ServerSelection { .. } => {
            anyhow!(
                "{shown} cannot be reached ({short}); nothing was written: see that the server runs, and run it again"
            )
        }
        _ => anyhow!("{shown}: {short}"),
    }
}
