//! `mine schema`: tables and columns of the data sets and of the reports, as they are declared.

use std::io::Write;

use anyhow::Result;
use archive::DataSet;
use archive::schema::{self, Kind};
use program::Misuse;
use serde::Serialize;

use crate::miner::MINERS;

/// Flags of `mine schema`.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Only these tables: a data set (`pages`), a miner (`links`), or one of its tables (`links_hosts`)
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
}

/// A table as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described {
    /// Name in SQL: `pages`, `links_hosts`.
    pub table: String,
    /// Where its rows stand.
    pub files: String,
    /// What a row is.
    pub doc: String,
    /// Columns in order.
    pub columns: Vec<DescribedColumn>,
}

/// A column as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DescribedColumn {
    /// Name.
    pub name: &'static str,
    /// Type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// May be null.
    pub nullable: bool,
    /// What it holds, with its unit.
    pub doc: &'static str,
}

/// Every table that there is: data sets, then reports.
pub fn all() -> Vec<Described> {
    let sets = DataSet::ALL.into_iter().map(|set| Described {
        table: set.name().to_owned(),
        files: format!("<data>/{}/day=…/*.parquet", set.name()),
        doc: match set {
            DataSet::Artefacts => "a fetch, also a failed one or a redirect",
            DataSet::Pages => "an HTML fetch",
            DataSet::Links => "a link of a page, or a redirect",
            DataSet::Scripts => "a script of a page",
        }
        .to_owned(),
        columns: schema::columns(set)
            .iter()
            .map(|c| DescribedColumn { name: c.name, kind: kind(c.kind), nullable: c.nullable, doc: c.doc })
            .collect(),
    });
    let reports = MINERS.iter().flat_map(|miner| {
        miner.tables.iter().map(|table| Described {
            table: format!("{}_{}", miner.name, table.name),
            files: format!("<data>/reports/{}/…/run=…/{}.parquet", miner.name, table.name),
            doc: table.doc.to_owned(),
            columns: table
                .columns
                .iter()
                .map(|c| DescribedColumn { name: c.name, kind: c.kind.name(), nullable: c.nullable, doc: c.doc })
                .collect(),
        })
    });
    sets.chain(reports).collect()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Int => "int64",
        Kind::Bool => "boolean",
        Kind::Binary => "binary",
        Kind::Timestamp => "timestamp(µs, UTC)",
        Kind::Pairs => "list<struct<name, value>>",
    }
}

/// Prints the tables.
pub fn run(flags: &Flags, json: bool) -> Result<()> {
    let tables = chosen(&flags.tables)?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &tables)?;
        writeln!(out)?;
        return Ok(());
    }
    for (number, table) in tables.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}: {}\n{}", table.table, table.doc, table.files)?;
        let width = |text: fn(&DescribedColumn) -> usize| table.columns.iter().map(text).max().unwrap_or(0);
        let (names, kinds) = (width(|c| c.name.len()), width(|c| c.kind.chars().count()));
        for column in &table.columns {
            let null = if column.nullable { "null" } else { "" };
            writeln!(out, "  {:names$}  {:kinds$}  {null:4}  {}", column.name, column.kind, column.doc)?;
        }
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Described>, Misuse> {
    let tables = all();
    if names.is_empty() {
        return Ok(tables);
    }
    let miner = |table: &Described, name: &str| {
        MINERS.iter().any(|miner| miner.name == name && table.table.starts_with(&format!("{name}_")))
    };
    for name in names {
        if !tables.iter().any(|table| table.table == *name || miner(table, name)) {
            let known: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
            return Err(Misuse::new(format!("there is no table `{name}`; there are {}", known.join(", "))));
        }
    }
    Ok(tables.into_iter().filter(|t| names.iter().any(|name| t.table == *name || miner(t, name))).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn table_names_are_unique_and_fit_for_sql() {
        let tables = all();
        let names: BTreeSet<&str> = tables.iter().map(|table| table.table.as_str()).collect();
        assert_eq!(names.len(), tables.len());
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(tables.iter().all(|t| plain(&t.table) && t.columns.iter().all(|c| plain(c.name) && !c.doc.is_empty())));
    }

    #[test]
    fn a_miner_stands_for_all_of_its_tables() {
        let names =
            |wanted: &str| chosen(&[wanted.to_owned()]).unwrap().into_iter().map(|t| t.table).collect::<Vec<_>>();
        assert_eq!(names("terms"), ["terms_terms", "terms_days", "terms_hosts", "terms_collocations", "terms_trends"]);
        assert_eq!(names("links_hosts"), ["links_hosts"]);
        // A data set and a miner of one name: both.
        assert_eq!(
            names("links"),
            [
                "links",
                "links_pages",
                "links_hosts",
                "links_broken",
                "links_redirects",
                "links_orphans",
                "links_third_parties"
            ]
        );
        assert!(chosen(&["nothing".to_owned()]).unwrap_err().to_string().contains("artefacts"));
    }
}
