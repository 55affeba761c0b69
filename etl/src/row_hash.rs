//! The hash of a row, and the content hash of a set of rows.
//!
//! **Definition.** The columns of the data set are taken in the order of `archive::schema`. A null is the byte `00`. Any
//! other value is the byte `01`, the length of its bytes as a 64-bit little-endian number, and its bytes:
//!
//! | kind | bytes |
//! |---|---|
//! | text | UTF-8 |
//! | integer | 8 bytes, little-endian, two's complement |
//! | timestamp | microseconds since 1970 UTC, as an integer |
//! | boolean | `00` or `01` |
//! | binary | the 32 bytes of its SHA-256 (so that a body is hashed once, and a row without it can be checked) |
//! | pairs | for each pair, name and then value, each as its length (64-bit little-endian) and its UTF-8 bytes |
//!
//! The row hash is the first 16 bytes of the SHA-256 of all that, read as a big-endian number. The content hash of rows is
//! the sum of their row hashes modulo 2^128: it does not depend on order, and a part can be added or taken away. Both are
//! printed as 32 hexadecimal digits.

use anyhow::{Context, Result, bail};
use archive::DataSet;
use archive::schema::{Kind, columns};
use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use sha2::{Digest, Sha256};

/// The hash of each row of a batch that holds all columns of `set`. `digests` are the SHA-256 of its binary column, where
/// the caller knows them already; that column need not be in the batch then.
pub fn rows(set: DataSet, batch: &RecordBatch, digests: Option<&[[u8; 32]]>) -> Result<Vec<u128>> {
    let columns = columns(set)
        .iter()
        .map(|c| {
            if c.kind == Kind::Binary && digests.is_some() {
                return Ok(Values::Digests);
            }
            let array = batch.column_by_name(c.name).with_context(|| format!("column {} is missing", c.name))?;
            Values::of(c.kind, array.as_ref()).with_context(|| format!("column {} is a {}", c.name, array.data_type()))
        })
        .collect::<Result<Vec<_>>>()?;
    if digests.is_some_and(|d| d.len() != batch.num_rows()) {
        bail!("{} digests for {} rows", digests.map_or(0, <[_]>::len), batch.num_rows());
    }
    let mut text = Vec::with_capacity(1024);
    let hash = |row| {
        text.clear();
        for column in &columns {
            column.put(row, digests, &mut text);
        }
        first_half(&Sha256::digest(&text).into())
    };
    Ok((0..batch.num_rows()).map(hash).collect())
}

/// A hash as it is printed.
pub fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}

/// A hash as it was printed.
pub fn parse(text: &str) -> Option<u128> {
    (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

fn first_half(digest: &[u8; 32]) -> u128 {
    digest[..16].iter().fold(0, |n, byte| n << 8 | u128::from(*byte))
}

/// One column of a batch.
enum Values<'a> {
    Text(&'a StringArray),
    Int(&'a Int64Array),
    Bool(&'a BooleanArray),
    Binary(&'a BinaryArray),
    /// A binary column whose hashes are known.
    Digests,
    Timestamp(&'a TimestampMicrosecondArray),
    Pairs(&'a ListArray, &'a StringArray, &'a StringArray),
}

impl<'a> Values<'a> {
    fn of(kind: Kind, array: &'a dyn Array) -> Option<Values<'a>> {
        Some(match kind {
            Kind::Text => Values::Text(array.as_string_opt()?),
            Kind::Int => Values::Int(array.as_primitive_opt::<Int64Type>()?),
            Kind::Bool => Values::Bool(array.as_boolean_opt()?),
            Kind::Binary => Values::Binary(array.as_binary_opt()?),
            Kind::Timestamp => Values::Timestamp(array.as_primitive_opt::<TimestampMicrosecondType>()?),
            Kind::Pairs => {
                let list = array.as_list_opt::<i32>()?;
                let pairs = list.values().as_struct_opt()?;
                Values::Pairs(list, pairs.column(0).as_string_opt()?, pairs.column(1).as_string_opt()?)
            }
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Values::Text(a) => a.is_null(row),
            Values::Int(a) => a.is_null(row),
            Values::Bool(a) => a.is_null(row),
            Values::Binary(a) => a.is_null(row),
            Values::Digests => false,
            Values::Timestamp(a) => a.is_null(row),
            Values::Pairs(a, ..) => a.is_null(row),
        }
    }

    fn put(&self, row: usize, digests: Option<&[[u8; 32]]>, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.push(0);
            return;
        }
        out.push(1);
        match self {
            Values::Text(a) => put_bytes(a.value(row).as_bytes(), out),
            Values::Int(a) => put_bytes(&a.value(row).to_le_bytes(), out),
            Values::Timestamp(a) => put_bytes(&a.value(row).to_le_bytes(), out),
            Values::Bool(a) => put_bytes(&[u8::from(a.value(row))], out),
            Values::Binary(a) => put_bytes(&Sha256::digest(a.value(row)), out),
            Values::Digests => put_bytes(&digests.map_or([0; 32], |known| known[row]), out),
            Values::Pairs(list, names, values) => {
                let start = out.len();
                out.extend_from_slice(&[0; 8]);
                let offsets = list.value_offsets();
                for i in offsets[row]..offsets[row + 1] {
                    put_bytes(names.value(i as usize).as_bytes(), out);
                    put_bytes(values.value(i as usize).as_bytes(), out);
                }
                let length = (out.len() - start - 8) as u64;
                out[start..start + 8].copy_from_slice(&length.to_le_bytes());
            }
        }
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}
