//! The three tables that extraction writes, gathered row by row.

use std::sync::Arc;

use anyhow::Result;
use archive::DataSet;
use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Int64Array, Int64Builder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use web::Link;

use super::facts::VERSION;
use super::page::{Page, PageScript};
use crate::columns;

/// One row of an artefacts segment, the columns that extraction copies.
#[derive(Debug, Clone, Copy)]
pub struct Artefact<'a> {
    /// Record id.
    pub id: &'a str,
    /// Crawl.
    pub crawl: &'a str,
    /// Canonical URL.
    pub url: &'a str,
    /// Host.
    pub host: &'a str,
    /// Registrable domain.
    pub site: &'a str,
    /// Start of the fetch, microseconds.
    pub fetched_at: i64,
    /// HTTP status.
    pub status: Option<i64>,
    /// Media type.
    pub content_type: Option<&'a str>,
    /// SHA-256 of the body.
    pub body_sha256: &'a str,
    /// Size of the body.
    pub body_bytes: i64,
    /// Partition.
    pub partition: i64,
    /// Offset.
    pub offset: i64,
}

/// The columns of [`Artefact`] over a batch.
pub struct Artefacts {
    id: StringArray,
    crawl: StringArray,
    url: StringArray,
    host: StringArray,
    site: StringArray,
    fetched_at: TimestampMicrosecondArray,
    status: Int64Array,
    content_type: StringArray,
    body_sha256: StringArray,
    body_bytes: Int64Array,
    partition: Int64Array,
    offset: Int64Array,
}

impl Artefacts {
    /// Names of the columns.
    pub const COLUMNS: [&'static str; 12] = [
        "id",
        "crawl",
        "url",
        "host",
        "site",
        "fetched_at",
        "status",
        "content_type",
        "body_sha256",
        "body_bytes",
        "partition",
        "offset",
    ];

    /// Takes them out of a batch.
    pub fn of(batch: &RecordBatch) -> Result<Artefacts> {
        Ok(Artefacts {
            id: columns::array(batch, "id")?,
            crawl: columns::array(batch, "crawl")?,
            url: columns::array(batch, "url")?,
            host: columns::array(batch, "host")?,
            site: columns::array(batch, "site")?,
            fetched_at: columns::array(batch, "fetched_at")?,
            status: columns::array(batch, "status")?,
            content_type: columns::array(batch, "content_type")?,
            body_sha256: columns::array(batch, "body_sha256")?,
            body_bytes: columns::array(batch, "body_bytes")?,
            partition: columns::array(batch, "partition")?,
            offset: columns::array(batch, "offset")?,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// One row.
    pub fn row(&self, i: usize) -> Artefact<'_> {
        Artefact {
            id: self.id.value(i),
            crawl: self.crawl.value(i),
            url: self.url.value(i),
            host: self.host.value(i),
            site: self.site.value(i),
            fetched_at: self.fetched_at.value(i),
            status: self.status.is_valid(i).then(|| self.status.value(i)),
            content_type: self.content_type.is_valid(i).then(|| self.content_type.value(i)),
            body_sha256: self.body_sha256.value(i),
            body_bytes: self.body_bytes.value(i),
            partition: self.partition.value(i),
            offset: self.offset.value(i),
        }
    }
}

/// Rows of one table that wait to be encoded.
pub trait Table: Default {
    /// Which table.
    const SET: DataSet;
    /// About how many bytes wait.
    fn bytes(&self) -> usize;
    /// The rows; none are left.
    fn arrays(&mut self) -> Vec<ArrayRef>;

    /// The rows as a batch with about their size, when there are any.
    fn take(&mut self) -> Result<Option<(RecordBatch, usize)>> {
        let bytes = self.bytes();
        if bytes == 0 {
            return Ok(None);
        }
        Ok(Some((RecordBatch::try_new(columns::schema(Self::SET), self.arrays())?, bytes)))
    }
}

/// Rows of `pages`.
#[derive(Default)]
pub struct Pages {
    texts: [StringBuilder; 7],
    /// title, description, canonical, lang, lang_declared
    facts: [StringBuilder; 5],
    fetched_at: TimestampMicrosecondBuilder,
    status: Int64Builder,
    words: Int64Builder,
    links_out: Int64Builder,
    extractor: StringBuilder,
    partition: Int64Builder,
    offset: Int64Builder,
    bytes: usize,
}

impl Pages {
    /// Adds a page.
    pub fn push(&mut self, a: &Artefact<'_>, page: &Page, links_out: usize) {
        let texts = [a.id, a.crawl, a.url, a.host, a.site, &page.text, a.body_sha256];
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_value(text);
            self.bytes += text.len();
        }
        let facts = [
            page.title.as_deref(),
            page.description.as_deref(),
            page.canonical.as_deref(),
            page.lang,
            page.lang_declared.as_deref(),
        ];
        for (builder, fact) in self.facts.iter_mut().zip(facts) {
            builder.append_option(fact);
            self.bytes += fact.map_or(0, str::len);
        }
        self.fetched_at.append_value(a.fetched_at);
        self.status.append_option(a.status);
        self.words.append_value(page.words);
        self.links_out.append_value(links_out as i64);
        self.extractor.append_value(VERSION);
        self.partition.append_value(a.partition);
        self.offset.append_value(a.offset);
        self.bytes += 120;
    }
}

impl Table for Pages {
    const SET: DataSet = DataSet::Pages;

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn arrays(&mut self) -> Vec<ArrayRef> {
        self.bytes = 0;
        let [id, crawl, url, host, site, text, sha256] =
            self.texts.each_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        let [title, description, canonical, lang, declared] =
            self.facts.each_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        vec![
            id,
            crawl,
            url,
            host,
            site,
            Arc::new(self.fetched_at.finish().with_timezone("UTC")),
            Arc::new(self.status.finish()),
            title,
            description,
            canonical,
            lang,
            declared,
            text,
            Arc::new(self.words.finish()),
            Arc::new(self.links_out.finish()),
            sha256,
            Arc::new(self.extractor.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
        ]
    }
}

/// Rows of `links`.
#[derive(Default)]
pub struct Links {
    ordinal: Int64Builder,
    /// id, src, dst, src_host, dst_host, kind
    texts: [StringBuilder; 6],
    rel: StringBuilder,
    anchor: StringBuilder,
    internal: BooleanBuilder,
    bytes: usize,
}

impl Links {
    /// Adds one link of a page.
    pub fn push(&mut self, a: &Artefact<'_>, ordinal: usize, link: &Link) {
        let (dst, dst_host) = (link.url.as_str(), link.url.host());
        for (builder, text) in self.texts.iter_mut().zip([a.id, a.url, dst, a.host, dst_host, link.kind.name()]) {
            builder.append_value(text);
            self.bytes += text.len() + 4;
        }
        self.ordinal.append_value(ordinal as i64);
        self.rel.append_option(link.rel.as_deref());
        self.anchor.append_option(link.anchor.as_deref());
        self.internal.append_value(dst_host == a.host || web::registrable(dst_host) == a.site);
        self.bytes += 25 + link.rel.as_deref().map_or(0, str::len) + link.anchor.as_deref().map_or(0, str::len);
    }
}

impl Table for Links {
    const SET: DataSet = DataSet::Links;

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn arrays(&mut self) -> Vec<ArrayRef> {
        self.bytes = 0;
        let [id, src, dst, src_host, dst_host, kind] = self.texts.each_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        let ordinal = Arc::new(self.ordinal.finish());
        let (rel, anchor) = (Arc::new(self.rel.finish()), Arc::new(self.anchor.finish()));
        vec![id, ordinal, src, dst, src_host, dst_host, kind, rel, anchor, Arc::new(self.internal.finish())]
    }
}

/// Rows of `scripts`.
#[derive(Default)]
pub struct Scripts {
    ordinal: Int64Builder,
    /// id, page
    texts: [StringBuilder; 2],
    /// src, sha256, body
    optional: [StringBuilder; 3],
    size: Int64Builder,
    bytes: usize,
}

impl Scripts {
    /// Adds one script of a page.
    pub fn push(&mut self, a: &Artefact<'_>, ordinal: usize, script: &PageScript) {
        for (builder, text) in self.texts.iter_mut().zip([a.id, a.url]) {
            builder.append_value(text);
            self.bytes += text.len() + 4;
        }
        let (sha256, body) = script.inline.as_ref().map(|(sha256, body)| (sha256.as_str(), body.as_str())).unzip();
        for (builder, text) in self.optional.iter_mut().zip([script.src.as_deref(), sha256, body]) {
            builder.append_option(text);
            self.bytes += text.map_or(0, str::len) + 4;
        }
        self.ordinal.append_value(ordinal as i64);
        self.size.append_option(body.map(|body| body.len() as i64));
        self.bytes += 16;
    }
}

impl Table for Scripts {
    const SET: DataSet = DataSet::Scripts;

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn arrays(&mut self) -> Vec<ArrayRef> {
        self.bytes = 0;
        let [id, page] = self.texts.each_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        let [src, sha256, body] = self.optional.each_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        vec![id, Arc::new(self.ordinal.finish()), page, src, sha256, Arc::new(self.size.finish()), body]
    }
}
