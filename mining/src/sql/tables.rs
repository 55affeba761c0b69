//! What stands in SQL: data sets over the days, and the tables of each miner's newest report.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use archive::schema::{self, Kind};
use archive::{DataSet, Run};
use polars::prelude::{
    DataFrame, DataType, Field, IntoLazy, LazyFrame, PlRefPath, ScanArgsParquet, Schema, TimeUnit, TimeZone,
};
use polars::sql::SQLContext;

use crate::miner::MINERS;
use crate::source::Source;

/// Registers all tables.
pub fn register(context: &mut SQLContext, source: &Source, reports: &Path) -> Result<()> {
    for set in DataSet::ALL {
        let paths: Vec<PathBuf> = source.segments(set).iter().map(|segment| segment.path.clone()).collect();
        let frame = if paths.is_empty() { empty(set) } else { scan(&paths)? };
        context.register(set.name(), frame);
    }
    for miner in MINERS {
        let Some(run) = Run::list_in(reports, Some(miner.name))?.pop() else { continue };
        for table in miner.tables {
            let path = run.path.join(format!("{}.parquet", table.name));
            // A run of an older version may lack a table.
            if path.is_file() {
                context.register(&format!("{}_{}", miner.name, table.name), scan(&[path])?);
            }
        }
    }
    Ok(())
}

/// Names of the tables that there are.
pub fn names(context: &SQLContext) -> Vec<String> {
    let mut names = context.get_tables();
    names.sort_unstable();
    names
}

fn scan(paths: &[PathBuf]) -> Result<LazyFrame> {
    let files = paths.iter().map(|path| PlRefPath::try_from_path(path)).collect::<Result<Vec<_>, _>>()?;
    // `day=` in the path of a segment is its day in the archive, not a column of it.
    let args = ScanArgsParquet { glob: false, cache: false, low_memory: true, ..ScanArgsParquet::default() };
    let scanned = LazyFrame::scan_parquet_files(files.into_iter().collect(), args);
    scanned.with_context(|| format!("cannot read {}", paths.first().map_or(String::new(), |p| p.display().to_string())))
}

/// A data set without segments.
fn empty(set: DataSet) -> LazyFrame {
    let text = |name: &str| Field::new(name.into(), DataType::String);
    let fields = schema::columns(set).iter().map(|column| {
        let kind = match column.kind {
            Kind::Text => DataType::String,
            Kind::Int => DataType::Int64,
            Kind::Bool => DataType::Boolean,
            Kind::Binary => DataType::Binary,
            Kind::Timestamp => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
            Kind::Pairs => DataType::List(Box::new(DataType::Struct(vec![text("name"), text("value")]))),
        };
        Field::new(column.name.into(), kind)
    });
    DataFrame::empty_with_schema(&fields.collect::<Schema>()).lazy()
}
