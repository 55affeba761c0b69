//! Rows of a data set, one row group at a time, with typed access to columns.

use anyhow::{Context, Result};
use archive::Day;
use polars::prelude::{BooleanChunked, DataFrame, Int64Chunked, StringChunked};

/// Some rows of one segment, only the columns asked for.
#[derive(Debug)]
pub struct Batch {
    /// Place in the data set: batches are numbered in the order of day, segment name and row group.
    pub number: usize,
    /// Day of the archive.
    pub day: Day,
    frame: DataFrame,
}

impl Batch {
    pub(super) fn new(number: usize, day: Day, frame: DataFrame) -> Batch {
        Batch { number, day, frame }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.frame.height()
    }

    /// A column of text.
    pub fn text(&self, name: &str) -> Result<Texts<'_>> {
        let column = self.frame.column(name)?;
        Ok(Texts(column.str().with_context(|| format!("column {name}"))?))
    }

    /// A column of integers; of times as microseconds since 1970 UTC.
    pub fn int(&self, name: &str) -> Result<Ints> {
        let column = self.frame.column(name)?.to_physical_repr();
        Ok(Ints(column.i64().with_context(|| format!("column {name}"))?.clone()))
    }
}

impl Batch {
    /// A column of truths.
    pub fn bool(&self, name: &str) -> Result<Bools<'_>> {
        let column = self.frame.column(name)?;
        Ok(Bools(column.bool().with_context(|| format!("column {name}"))?))
    }

    /// A column of lists of pairs of name and value.
    pub fn pairs(&self, name: &str) -> Result<Pairs> {
        let what = || format!("column {name}");
        let column = self.frame.column(name)?;
        let lists = column.list().with_context(what)?.rechunk().into_owned();
        let offsets = match lists.downcast_iter().next() {
            Some(array) => array.offsets().iter().map(|&at| usize::try_from(at)).collect::<Result<_, _>>()?,
            None => vec![0; self.rows() + 1],
        };
        let inner = lists.get_inner();
        let fields = inner.struct_().with_context(what)?;
        let (names, values) = (fields.field_by_name("name")?, fields.field_by_name("value")?);
        let (names, values) = (names.str().with_context(what)?.clone(), values.str().with_context(what)?.clone());
        Ok(Pairs { offsets, names, values })
    }
}

/// Truths by row.
#[derive(Debug, Clone, Copy)]
pub struct Bools<'a>(&'a BooleanChunked);

impl Bools<'_> {
    /// The truth of a row; none where it is null.
    pub fn get(&self, row: usize) -> Option<bool> {
        self.0.get(row)
    }
}

/// Pairs of name and value by row.
#[derive(Debug, Clone)]
pub struct Pairs {
    offsets: Vec<usize>,
    names: StringChunked,
    values: StringChunked,
}

impl Pairs {
    /// The pairs of a row, in order.
    pub fn of(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        let range = self.offsets[row]..self.offsets[row + 1];
        range.filter_map(|at| Some((self.names.get(at)?, self.values.get(at)?)))
    }
}

/// Texts by row.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a>(&'a StringChunked);

impl<'a> Texts<'a> {
    /// The text of a row; none where it is null.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        self.0.get(row)
    }
}

/// Integers by row.
#[derive(Debug, Clone)]
pub struct Ints(Int64Chunked);

impl Ints {
    /// The number of a row; none where it is null.
    pub fn get(&self, row: usize) -> Option<i64> {
        self.0.get(row)
    }
}

/// A record's id as a number: its UUID, or, should it be none, a hash of the text.
pub fn record_key(id: &str) -> u128 {
    match uuid::Uuid::try_parse(id) {
        Ok(uuid) => uuid.as_u128(),
        Err(_) => {
            use std::hash::{DefaultHasher, Hasher};
            let half = |salt: u8| {
                let mut hasher = DefaultHasher::new();
                hasher.write_u8(salt);
                hasher.write(id.as_bytes());
                u128::from(hasher.finish())
            };
            half(0) << 64 | half(1)
        }
    }
}
