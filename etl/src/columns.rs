//! The columns of `archive::schema` as an Arrow schema: the one place where a kind becomes an Arrow type.

use std::sync::Arc;

use anyhow::{Context, Result};
use archive::DataSet;
use archive::schema::{Column, Kind, columns};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// The Arrow schema of a data set.
pub fn schema(set: DataSet) -> SchemaRef {
    Arc::new(Schema::new(columns(set).iter().map(field).collect::<Vec<_>>()))
}

/// The same with views in place of binary columns: what is written need not be copied into one array first. Parquet's is equal.
pub fn schema_of_views(set: DataSet) -> SchemaRef {
    let view = |column: &Column| match column.kind {
        Kind::Binary => field(column).with_data_type(DataType::BinaryView),
        _ => field(column),
    };
    Arc::new(Schema::new(columns(set).iter().map(view).collect::<Vec<_>>()))
}

/// The Arrow type of a kind.
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Int => DataType::Int64,
        Kind::Bool => DataType::Boolean,
        Kind::Binary => DataType::Binary,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Pairs => DataType::List(Arc::new(pair())),
    }
}

/// Fields of one pair of a [`Kind::Pairs`] column.
pub(crate) fn pair_fields() -> Fields {
    Fields::from(vec![Field::new("name", DataType::Utf8, false), Field::new("value", DataType::Utf8, false)])
}

/// The element of a [`Kind::Pairs`] column; called `element`, as the Parquet format asks.
pub(crate) fn pair() -> Field {
    Field::new("element", DataType::Struct(pair_fields()), false)
}

fn field(column: &Column) -> Field {
    Field::new(column.name, data_type(column.kind), column.nullable)
}

/// A column of a batch, as the array that its kind is read as.
pub(crate) fn array<T: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<T> {
    let array = batch.column_by_name(name).with_context(|| format!("column {name} is missing"))?;
    let found = array.as_any().downcast_ref::<T>().cloned();
    found.with_context(|| format!("column {name} is a {}, which this version does not read", array.data_type()))
}
