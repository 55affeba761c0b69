//! Columns of the data sets, declared once as plain data. Contract tests in etl and mining hold both to it.
//!
//! Types are those that every Parquet reader has: no unsigned integers, no dictionaries.

use crate::DataSet;

/// Version of these columns; stands in each segment's footer.
pub const VERSION: u32 = 1;

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// 64-bit signed integer.
    Int,
    /// Boolean.
    Bool,
    /// Bytes.
    Binary,
    /// Microseconds since 1970, UTC.
    Timestamp,
    /// list<struct<name: text, value: text>>.
    Pairs,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// May be null.
    pub nullable: bool,
    /// What it holds, with its unit.
    pub doc: &'static str,
}

const fn col(name: &'static str, kind: Kind, nullable: bool, doc: &'static str) -> Column {
    Column { name, kind, nullable, doc }
}

/// Columns of a data set, in order.
pub fn columns(set: DataSet) -> &'static [Column] {
    match set {
        DataSet::Artefacts => ARTEFACTS,
        DataSet::Pages => PAGES,
        DataSet::Links => LINKS,
        DataSet::Scripts => SCRIPTS,
    }
}

use Kind::{Binary, Bool, Int, Pairs, Text, Timestamp};

const ARTEFACTS: &[Column] = &[
    col("id", Text, false, "record id, UUID"),
    col("crawl", Text, false, "name of the crawl"),
    col("url", Text, false, "canonical URL"),
    col("host", Text, false, "host, with a port that is not the default"),
    col("site", Text, false, "registrable domain, else the host"),
    col("fetched_at", Timestamp, false, "start of the fetch"),
    col("appended_at", Timestamp, false, "append time on the bus"),
    col("status", Int, true, "HTTP status; null when there was no response"),
    col("error", Text, true, "class of failure"),
    col("content_type", Text, true, "media type that the server said"),
    col("charset", Text, true, "character set of the body, for text"),
    col("headers", Pairs, false, "response headers in order"),
    col("body", Binary, false, "decoded body"),
    col("body_sha256", Text, false, "SHA-256 of the decoded body, hexadecimal"),
    col("body_bytes", Int, false, "size of the decoded body, bytes"),
    col("truncated", Bool, false, "the body was cut at the size limit"),
    col("via", Text, true, "page on which the URL was found"),
    col("depth", Int, false, "links from a seed"),
    col("hops", Int, false, "redirects that led here"),
    col("elapsed_ms", Int, false, "duration of the fetch, milliseconds"),
    col("remote", Text, true, "address of the server"),
    col("partition", Int, false, "partition on the bus"),
    col("offset", Int, false, "offset on the bus"),
];

const PAGES: &[Column] = &[
    col("id", Text, false, "id of the artefact"),
    col("crawl", Text, false, "name of the crawl"),
    col("url", Text, false, "canonical URL"),
    col("host", Text, false, "host"),
    col("site", Text, false, "registrable domain, else the host"),
    col("fetched_at", Timestamp, false, "start of the fetch"),
    col("status", Int, true, "HTTP status"),
    col("title", Text, true, "title"),
    col("description", Text, true, "meta description"),
    col("canonical", Text, true, "canonical URL that the page declares"),
    col("lang", Text, true, "language detected, ISO 639-1 where there is one, else 639-3"),
    col("lang_declared", Text, true, "language declared"),
    col("text", Text, false, "main content"),
    col("words", Int, false, "words in text"),
    col("links_out", Int, false, "links on the page, all kinds"),
    col("body_sha256", Text, false, "SHA-256 of the body"),
    col("extractor", Text, false, "version of the extractor"),
    col("partition", Int, false, "partition on the bus"),
    col("offset", Int, false, "offset on the bus"),
];

const LINKS: &[Column] = &[
    col("id", Text, false, "id of the artefact"),
    col("ordinal", Int, false, "place on the page, from 0"),
    col("src", Text, false, "canonical URL of the page"),
    col("dst", Text, false, "canonical URL that is linked"),
    col("src_host", Text, false, "host of src"),
    col("dst_host", Text, false, "host of dst"),
    col("kind", Text, false, "a, img, script, iframe, link, form, redirect"),
    col("rel", Text, true, "rel attribute"),
    col("anchor", Text, true, "text of the link, else of its image"),
    col("internal", Bool, false, "src and dst are of the same site"),
];

const SCRIPTS: &[Column] = &[
    col("id", Text, false, "id of the artefact"),
    col("ordinal", Int, false, "place on the page, from 0"),
    col("page", Text, false, "canonical URL of the page"),
    col("src", Text, true, "canonical URL of the script; null when inline"),
    col("sha256", Text, true, "SHA-256 of the inline body; null when it is elsewhere"),
    col("bytes", Int, true, "size of the inline body, bytes"),
    col("body", Text, true, "inline body"),
];
