//! What archive and bus hold in the end, record by record, and whether it is what it should be.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;

/// One line of the audit; see etl/examples/audit.rs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Found {
    Row(Row),
    File(File),
    Record(Record),
    End(End),
    Left(String),
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    url: String,
    status: Option<i64>,
    partition: i64,
    offset: i64,
    file: String,
}

#[derive(Debug, Deserialize)]
struct File {
    name: String,
    rows: i64,
}

#[derive(Debug, Deserialize)]
struct Record {
    id: Option<String>,
    partition: i64,
    offset: i64,
}

#[derive(Debug, Deserialize)]
struct End {
    partition: i64,
    start: i64,
    end: i64,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    rows: Vec<Row>,
    files: Vec<File>,
    records: Vec<Record>,
    ends: Vec<End>,
    left: Vec<String>,
}

impl Audit {
    pub(crate) fn read(text: &str) -> anyhow::Result<Audit> {
        let mut audit = Audit::default();
        for line in text.lines() {
            match serde_json::from_str(line).with_context(|| format!("the audit wrote {line}"))? {
                Found::Row(it) => audit.rows.push(it),
                Found::File(it) => audit.files.push(it),
                Found::Record(it) => audit.records.push(it),
                Found::End(it) => audit.ends.push(it),
                Found::Left(it) => audit.left.push(it),
            }
        }
        Ok(audit)
    }

    /// Segments, and rows in them.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.files.len(), self.rows.len())
    }

    /// URLs archived with status 200, as often as they are there.
    pub(crate) fn pages(&self) -> BTreeMap<&str, usize> {
        let mut pages = BTreeMap::new();
        let fetched = self.rows.iter().filter(|row| row.status == Some(200));
        // robots.txt is no page, whether it is archived or not
        fetched
            .filter(|row| !row.url.ends_with("/robots.txt"))
            .for_each(|row| *pages.entry(row.url.as_str()).or_insert(0) += 1);
        pages
    }

    /// Everything that is wrong, in words.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.twice();
        faults.extend(self.coverage());
        faults.extend(self.differences());
        faults.extend(self.left.iter().map(|file| format!("{file} was left under tmp")));
        faults.extend(
            self.pages().iter().filter(|(_, times)| **times > 1).map(|(url, n)| format!("{url} is archived {n} times")),
        );
        faults
    }

    /// Ids that are there twice, in the archive or on the bus.
    fn twice(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let archive = self.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>();
        let bus = self.records.iter().filter_map(|record| record.id.as_deref()).collect::<Vec<_>>();
        for (place, ids) in [("archive", archive), ("bus", bus)] {
            let mut seen = BTreeSet::new();
            faults.extend(
                ids.iter().filter(|id| !seen.insert(**id)).map(|id| format!("id {id} is in the {place} twice")),
            );
        }
        faults
    }

    /// Segments of each partition must follow one another without overlap, from the first offset of the bus to its end, and
    /// hold a row for each record; between them there may be offsets that hold none (ends of transactions, what was aborted).
    fn coverage(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let offsets: BTreeSet<(i64, i64)> =
            self.records.iter().map(|record| (record.partition, record.offset)).collect();
        let held = |partition: i64, from: i64, next: i64| match from < next {
            true => offsets.range((partition, from)..(partition, next)).count() as i64,
            false => 0,
        };
        let mut intervals: BTreeMap<i64, Vec<(i64, i64, &File)>> = BTreeMap::new();
        for file in &self.files {
            match interval(&file.name) {
                Some((partition, from, next)) => intervals.entry(partition).or_default().push((from, next, file)),
                None => faults.push(format!("{} is no name of a segment", file.name)),
            }
        }
        for end in &self.ends {
            let segments = intervals.entry(end.partition).or_default();
            segments.sort_by_key(|(from, next, _)| (*from, *next));
            let mut covered = end.start;
            for (from, next, file) in segments.iter() {
                if *from < covered || held(end.partition, covered, *from) > 0 {
                    let what = if *from < covered { "an overlap" } else { "a gap" };
                    faults.push(format!("{what} before {}: offsets were covered to {covered}", file.name));
                }
                if held(end.partition, *from, *next) != file.rows {
                    faults.push(format!("{} has {} rows", file.name, file.rows));
                }
                covered = *next;
            }
            if covered > end.end || held(end.partition, covered, end.end) > 0 {
                faults
                    .push(format!("partition {} is covered to {covered}, the bus ends at {}", end.partition, end.end));
            }
        }
        for row in &self.rows {
            let inside = interval(&row.file)
                .is_some_and(|(p, from, next)| p == row.partition && (from..next).contains(&row.offset));
            if !inside {
                faults.push(format!("{} has offset {} of partition {}", row.file, row.offset, row.partition));
            }
        }
        faults
    }

    /// Every record of the bus must be in the archive with its id, and the other way round.
    fn differences(&self) -> Vec<String> {
        let place = |partition: i64, offset: i64, id: &str| format!("partition {partition} offset {offset} id {id}");
        let archive: BTreeSet<_> = self.rows.iter().map(|row| place(row.partition, row.offset, &row.id)).collect();
        let id = |record: &Record| record.id.clone().unwrap_or_default();
        let bus: BTreeSet<_> = self.records.iter().map(|it| place(it.partition, it.offset, &id(it))).collect();
        let missing = bus.difference(&archive).map(|it| format!("not in the archive: {it}"));
        missing.chain(archive.difference(&bus).map(|it| format!("not on the bus: {it}"))).collect()
    }
}

/// Partition and offsets of `artefacts-p003-00000000000000012345-00000000000000023456.parquet`.
fn interval(name: &str) -> Option<(i64, i64, i64)> {
    let mut parts =
        name.strip_suffix(".parquet")?.strip_prefix("artefacts-p")?.split('-').map(|part| part.parse().ok());
    let all = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(all)
}

/// Pages that should be there and are not, and the other way round, in words.
pub(crate) fn compare(expected: &BTreeSet<String>, pages: &BTreeMap<&str, usize>) -> Vec<String> {
    let missing =
        expected.iter().filter(|url| !pages.contains_key(url.as_str())).map(|url| format!("{url} is not archived"));
    let extra = pages.keys().filter(|url| !expected.contains(**url)).map(|url| format!("{url} was not to be archived"));
    missing.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn segment(from: i64, next: i64) -> String {
        let name = format!("artefacts-p000-{from:020}-{next:020}.parquet");
        let rows = (from..next).map(|n| {
            format!(r#"{{"row":{{"id":"i{n}","url":"u{n}","status":200,"partition":0,"offset":{n},"file":"{name}"}}}}"#)
        });
        let file = format!(r#"{{"file":{{"name":"{name}","day":"day=2026-11-21","rows":{}}}}}"#, next - from);
        rows.chain([file]).collect::<Vec<_>>().join("\n")
    }

    fn bus(end: i64) -> String {
        let records = (0..end).map(|n| format!(r#"{{"record":{{"id":"i{n}","partition":0,"offset":{n}}}}}"#));
        records.chain([format!(r#"{{"end":{{"partition":0,"start":0,"end":{end}}}}}"#)]).collect::<Vec<_>>().join("\n")
    }

    fn faults(parts: &[String]) -> Vec<String> {
        Audit::read(&parts.join("\n")).unwrap().faults()
    }

    #[test]
    fn a_whole_archive_has_no_fault() {
        assert_eq!(faults(&[segment(0, 3), segment(3, 5), bus(5)]), Vec::<String>::new());
    }

    #[test]
    fn gaps_overlaps_and_a_missing_end_are_found() {
        let has = |faults: &[String], text: &str| assert!(faults.iter().any(|it| it.contains(text)), "{faults:?}");
        has(&faults(&[segment(0, 2), segment(3, 5), bus(5)]), "a gap before artefacts-p000-00000000000000000003");
        has(&faults(&[segment(0, 3), segment(2, 5), bus(5)]), "an overlap before");
        has(&faults(&[segment(0, 3), segment(2, 5), bus(5)]), "id i2 is in the archive twice");
        has(&faults(&[segment(0, 3), segment(2, 5), bus(5)]), "u2 is archived 2 times");
        has(&faults(&[segment(0, 4), bus(5)]), "covered to 4, the bus ends at 5");
        has(&faults(&[segment(0, 4), bus(5)]), "not in the archive: partition 0 offset 4 id i4");
        has(&faults(&[segment(0, 5), bus(5), r#"{"left":"tmp/stage-1/x"}"#.into()]), "left under tmp");
    }

    #[test]
    fn expected_and_archived_pages_are_compared_both_ways() {
        let expected = BTreeSet::from(["a".to_string(), "b".to_string()]);
        let found = compare(&expected, &BTreeMap::from([("b", 1), ("c", 1)]));
        assert_eq!(found, ["a is not archived", "c was not to be archived"]);
    }
}
