//! Documents as `etl upload` writes them (ARCHITECTURE.md, "The night"), back to the columns of the archive.

use anyhow::{Context, Result, bail};
use archive::DataSet;
use archive::schema::{self, Column as Declared, Kind};
use mongodb::bson::raw::{RawArray, RawBsonRef, RawDocument};
use mongodb::bson::{Document, doc};
use polars::prelude::{
    AnyValue, Column, DataFrame, DataType, Field, IntoSeries, NamedFrom, Schema, Series, StructChunked, TimeUnit,
    TimeZone,
};

/// Bytes of texts and rows of a row group.
const BYTES: usize = 16 << 20;
const ROWS: usize = 1 << 14;

/// Rows that were read and not yet written.
pub struct Rows {
    set: DataSet,
    columns: &'static [Declared],
    values: Vec<Vec<AnyValue<'static>>>,
    bytes: usize,
}

impl Rows {
    /// None yet.
    pub fn new(set: DataSet) -> Rows {
        let columns = schema::columns(set);
        Rows { set, columns, values: vec![Vec::new(); columns.len()], bytes: 0 }
    }

    /// Columns as the archive has them.
    pub fn schema(&self) -> Schema {
        self.columns.iter().map(|column| Field::new(column.name.into(), dtype(column.kind))).collect()
    }

    /// Fields that the server shall send.
    pub fn fields(&self) -> Document {
        let wanted = self.columns.iter().filter(|column| column.kind != Kind::Binary);
        wanted.fold(doc! {}, |mut fields, column| {
            fields.insert(column.name, 1);
            fields
        })
    }

    /// Enough for a row group.
    pub fn is_full(&self) -> bool {
        self.bytes >= BYTES || self.values.first().is_some_and(|column| column.len() >= ROWS)
    }

    /// Takes a document.
    pub fn add(&mut self, document: &RawDocument) -> Result<()> {
        let rows = self.values.first().map_or(0, Vec::len);
        let mut name_of_row = String::new();
        for element in document.iter() {
            let (name, value) = element.context("a document is damaged")?;
            let name = name.as_str();
            if let ("_id", RawBsonRef::String(id)) = (name, value) {
                name_of_row = id.to_owned();
            }
            // The id of an artefact and of a page is the document's own.
            let name = if name == "_id" && self.set != DataSet::Links { "id" } else { name };
            let Some(place) = self.columns.iter().position(|column| column.name == name) else { continue };
            if self.values[place].len() > rows {
                bail!("the document {name_of_row:?} has `{name}` twice");
            }
            let (value, bytes) = cell(self.columns[place].kind, value)
                .with_context(|| format!("`{name}` of the document {name_of_row:?}"))?;
            self.bytes += bytes;
            self.values[place].push(value);
        }
        for (column, values) in self.columns.iter().zip(&mut self.values) {
            let absent = values.len() == rows;
            if absent {
                values.push(AnyValue::Null);
            }
            if values[rows].is_null() && !column.nullable && !matches!(column.kind, Kind::Binary | Kind::Pairs) {
                bail!(
                    "the document {name_of_row:?} has no `{}`: `etl verify --day` finds such, and upload mends them",
                    column.name
                );
            }
        }
        Ok(())
    }

    /// A text of the row that was added last.
    pub fn last_text(&self, name: &str) -> Option<&str> {
        let place = self.columns.iter().position(|column| column.name == name)?;
        self.values[place].last()?.get_str()
    }

    /// Sets the body of the row that was added last.
    pub fn set_body(&mut self, body: Vec<u8>) {
        let place = self.columns.iter().position(|column| column.kind == Kind::Binary);
        if let Some(slot) = place.and_then(|place| self.values[place].last_mut()) {
            self.bytes += body.len();
            *slot = AnyValue::BinaryOwned(body);
        }
    }

    /// The rows as a table; none are left.
    pub fn take(&mut self) -> Result<DataFrame> {
        let rows = self.values.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(self.columns.len());
        for (column, values) in self.columns.iter().zip(&mut self.values) {
            let values = std::mem::take(values);
            let dtype = dtype(column.kind);
            let series = match column.kind {
                Kind::Timestamp => {
                    Series::from_any_values_and_dtype(column.name.into(), &values, &DataType::Int64, true)?
                        .cast(&dtype)?
                }
                _ => Series::from_any_values_and_dtype(column.name.into(), &values, &dtype, true)?,
            };
            columns.push(Column::from(series));
        }
        self.bytes = 0;
        Ok(DataFrame::new(rows, columns)?)
    }
}

fn dtype(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::String,
        Kind::Int => DataType::Int64,
        Kind::Bool => DataType::Boolean,
        Kind::Binary => DataType::Binary,
        Kind::Timestamp => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        Kind::Pairs => DataType::List(Box::new(pair())),
    }
}

fn pair() -> DataType {
    let text = |name: &str| Field::new(name.into(), DataType::String);
    DataType::Struct(vec![text("name"), text("value")])
}

/// A value as the column has it, and about how many bytes it takes.
fn cell(kind: Kind, value: RawBsonRef<'_>) -> Result<(AnyValue<'static>, usize)> {
    Ok(match (kind, value) {
        (_, RawBsonRef::Null) => (AnyValue::Null, 8),
        (Kind::Text, RawBsonRef::String(text)) => (AnyValue::StringOwned(text.into()), text.len() + 24),
        (Kind::Int, RawBsonRef::Int64(number)) => (AnyValue::Int64(number), 8),
        (Kind::Int, RawBsonRef::Int32(number)) => (AnyValue::Int64(i64::from(number)), 8),
        (Kind::Bool, RawBsonRef::Boolean(truth)) => (AnyValue::Boolean(truth), 8),
        (Kind::Timestamp, RawBsonRef::DateTime(time)) => {
            let micros = time.timestamp_millis().checked_mul(1000).context("the time is out of range")?;
            (AnyValue::Int64(micros), 8)
        }
        (Kind::Pairs, RawBsonRef::Array(array)) => pairs(array)?,
        (kind, other) => bail!("it is a {:?} and not {kind:?}", other.element_type()),
    })
}

fn pairs(array: &RawArray) -> Result<(AnyValue<'static>, usize)> {
    let (mut names, mut values, mut bytes) = (Vec::new(), Vec::new(), 0);
    for element in array {
        let element = element?;
        let pair = element.as_document().context("a pair is no document")?;
        let text = |name: &str| pair.get_str(name).map_err(|error| anyhow::anyhow!("{error}"));
        names.push(text("name")?.to_owned());
        values.push(text("value")?.to_owned());
        bytes += 48 + names.last().map_or(0, String::len) + values.last().map_or(0, String::len);
    }
    let fields = [Series::new("name".into(), &names), Series::new("value".into(), &values)];
    let pairs = StructChunked::from_series("".into(), names.len(), fields.iter())?.into_series();
    Ok((AnyValue::List(pairs), bytes + 64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use mongodb::bson::raw::RawDocumentBuf;
    use mongodb::bson::{Bson, DateTime};

    use super::*;

    fn add(rows: &mut Rows, document: &Document) -> Result<()> {
        rows.add(&RawDocumentBuf::try_from(document).unwrap())
    }

    fn page() -> Document {
        let mut document = doc! { "_id": "a", "fetched_at": DateTime::from_millis(-1), "status": Bson::Null, "odd": 1 };
        for column in schema::columns(DataSet::Pages).iter().filter(|column| column.name != "id") {
            match column.kind {
                Kind::Text if !column.nullable => drop(document.insert(column.name, column.name)),
                Kind::Int if !column.nullable => drop(document.insert(column.name, 7_i32)),
                _ => {}
            }
        }
        document
    }

    #[test]
    fn documents_become_rows_with_the_declared_columns() {
        let mut rows = Rows::new(DataSet::Pages);
        add(&mut rows, &page()).unwrap();
        add(&mut rows, &page()).unwrap();
        let frame = rows.take().unwrap();
        assert_eq!((frame.height(), frame.schema().as_ref()), (2, &rows.schema()));
        assert_eq!(frame.column("id").unwrap().str().unwrap().get(1), Some("a"));
        assert_eq!(frame.column("fetched_at").unwrap().to_physical_repr().i64().unwrap().get(0), Some(-1000));
        assert_eq!(rows.take().unwrap().height(), 0);
        let mut artefacts = Rows::new(DataSet::Artefacts);
        assert_eq!(artefacts.take().unwrap().schema().as_ref(), &artefacts.schema());
    }

    #[test]
    fn a_document_that_is_not_as_uploaded_is_named() {
        for change in [doc! { "words": "many" }, doc! { "url": Bson::Null }, doc! { "fetched_at": 1 }] {
            let mut document = page();
            document.extend(change);
            let error = add(&mut Rows::new(DataSet::Pages), &document).unwrap_err();
            assert!(format!("{error:#}").contains("\"a\""), "{error:#}");
        }
    }
}
