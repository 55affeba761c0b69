//! From a delivered record to a row of `artefacts`, and from rows to a record batch.

use std::sync::Arc;

use anyhow::Result;
use archive::DataSet;
use arrow::array::{
    ArrayRef, BinaryViewArray, BinaryViewBuilder, BooleanBuilder, Int64Builder, ListBuilder, RecordBatch,
    StringBuilder, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::Buffer;
use bus::Delivered;
use bus::payload::Artefact;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::columns;

/// One row of `artefacts`.
#[derive(Debug, Clone)]
pub struct Row {
    artefact: Artefact,
    host: String,
    site: String,
    charset: Option<&'static str>,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    digest: [u8; 32],
    appended_at: i64,
    partition: u32,
    offset: i64,
}

impl Row {
    /// Reads a record; the reason when it is not an artefact, its URL is none, or its body is not the one that was hashed.
    pub fn decode(delivered: &Delivered) -> Result<Row, String> {
        let mut artefact = Artefact::from_record(&delivered.record)?;
        let canonical = web::canonicalise(&artefact.url).map_err(|e| format!("ce_subject {:?}: {e}", artefact.url))?;
        let host = canonical.host().to_owned();
        let digest: [u8; 32] = Sha256::digest(&artefact.body).into();
        let sha256 = hex::encode(digest);
        let no_body = artefact.body.is_empty() && artefact.sha256.is_empty();
        if !no_body && !artefact.sha256.eq_ignore_ascii_case(&sha256) {
            return Err(format!("the body's SHA-256 is {sha256}, not the {} of ce_sha256", artefact.sha256));
        }
        artefact.sha256 = sha256;
        let headers = artefact.http_headers.pairs();
        let content_type = said_content_type(artefact.content_type.take(), &headers);
        let charset = charset(&artefact.body, content_type.as_deref());
        Ok(Row {
            site: web::registrable(&host).to_owned(),
            charset,
            content_type,
            headers,
            digest,
            appended_at: delivered.time.saturating_mul(1000),
            partition: delivered.partition,
            offset: delivered.offset,
            host,
            artefact,
        })
    }

    /// Bytes of its body.
    pub fn body_bytes(&self) -> usize {
        self.artefact.body.len()
    }

    /// About how many bytes the row has before encoding.
    pub fn size(&self) -> usize {
        let a = &self.artefact;
        let optional = |t: &Option<String>| t.as_ref().map_or(0, String::len);
        let pairs: usize = self.headers.iter().map(|(n, v)| n.len() + v.len() + 16).sum();
        let texts =
            a.url.len() + self.host.len() + self.site.len() + a.crawl.len() + optional(&a.error) + optional(&a.via);
        a.body.len() + pairs + texts + optional(&a.remote) + optional(&self.content_type) + 300
    }
}

/// The bus says `application/octet-stream` where the server said nothing, or nothing valid: that is not kept.
fn said_content_type(on_bus: Option<String>, headers: &[(String, String)]) -> Option<String> {
    let said = || headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("content-type") && v.contains("octet-stream"));
    on_bus.filter(|t| t != "application/octet-stream" || said())
}

/// The character set of a body that is text.
fn charset(body: &[u8], content_type: Option<&str>) -> Option<&'static str> {
    if body.is_empty() {
        return None;
    }
    let essence = content_type?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text = essence.starts_with("text/")
        || ["json", "xml", "javascript", "ecmascript"].iter().any(|part| essence.ends_with(part));
    text.then(|| web::sniff(body, content_type))
}

/// Rows that wait to be encoded.
pub struct Rows {
    id: StringBuilder,
    crawl: StringBuilder,
    url: StringBuilder,
    host: StringBuilder,
    site: StringBuilder,
    fetched_at: TimestampMicrosecondBuilder,
    appended_at: TimestampMicrosecondBuilder,
    status: Int64Builder,
    error: StringBuilder,
    content_type: StringBuilder,
    charset: StringBuilder,
    headers: ListBuilder<StructBuilder>,
    /// As they came: a body is copied once, by the encoder.
    bodies: Vec<Bytes>,
    body_sha256: StringBuilder,
    body_bytes: Int64Builder,
    truncated: BooleanBuilder,
    via: StringBuilder,
    depth: Int64Builder,
    hops: Int64Builder,
    elapsed_ms: Int64Builder,
    remote: StringBuilder,
    partition: Int64Builder,
    offset: Int64Builder,
    digests: Vec<[u8; 32]>,
    bytes: usize,
}

impl Default for Rows {
    fn default() -> Rows {
        let pair = StructBuilder::from_fields(columns::pair_fields(), 0);
        Rows {
            id: StringBuilder::new(),
            crawl: StringBuilder::new(),
            url: StringBuilder::new(),
            host: StringBuilder::new(),
            site: StringBuilder::new(),
            fetched_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            appended_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            status: Int64Builder::new(),
            error: StringBuilder::new(),
            content_type: StringBuilder::new(),
            charset: StringBuilder::new(),
            headers: ListBuilder::new(pair).with_field(columns::pair()),
            bodies: Vec::new(),
            body_sha256: StringBuilder::new(),
            body_bytes: Int64Builder::new(),
            truncated: BooleanBuilder::new(),
            via: StringBuilder::new(),
            depth: Int64Builder::new(),
            hops: Int64Builder::new(),
            elapsed_ms: Int64Builder::new(),
            remote: StringBuilder::new(),
            partition: Int64Builder::new(),
            offset: Int64Builder::new(),
            digests: Vec::new(),
            bytes: 0,
        }
    }
}

impl Rows {
    /// About how many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Adds a row.
    pub fn push(&mut self, row: &Row) {
        let a = &row.artefact;
        let mut id = uuid::Uuid::encode_buffer();
        self.bytes += row.size();
        self.digests.push(row.digest);
        self.id.append_value(a.id.hyphenated().encode_lower(&mut id));
        self.crawl.append_value(&a.crawl);
        self.url.append_value(&a.url);
        self.host.append_value(&row.host);
        self.site.append_value(&row.site);
        self.fetched_at.append_value(a.fetched_at);
        self.appended_at.append_value(row.appended_at);
        self.status.append_option(a.status.map(i64::from));
        self.error.append_option(a.error.as_deref());
        self.content_type.append_option(row.content_type.as_deref());
        self.charset.append_option(row.charset);
        self.push_headers(&row.headers);
        self.bodies.push(a.body.clone());
        self.body_sha256.append_value(&a.sha256);
        self.body_bytes.append_value(a.body.len() as i64);
        self.truncated.append_value(a.truncated);
        self.via.append_option(a.via.as_deref());
        self.depth.append_value(i64::from(a.depth));
        self.hops.append_value(i64::from(a.hops));
        self.elapsed_ms.append_value(i64::try_from(a.elapsed_ms).unwrap_or(i64::MAX));
        self.remote.append_option(a.remote.as_deref());
        self.partition.append_value(i64::from(row.partition));
        self.offset.append_value(row.offset);
    }

    fn push_headers(&mut self, headers: &[(String, String)]) {
        let pairs = self.headers.values();
        for (name, value) in headers {
            for (field, text) in [(0, name), (1, value)] {
                let builder = pairs.field_builder::<StringBuilder>(field);
                builder.expect("a pair is made of two texts").append_value(text);
            }
            pairs.append(true);
        }
        self.headers.append(true);
    }

    /// The rows as a batch, with the digests of their bodies and about their size; none are left.
    pub fn take(&mut self) -> Result<(RecordBatch, Vec<[u8; 32]>, usize)> {
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.crawl.finish()),
            Arc::new(self.url.finish()),
            Arc::new(self.host.finish()),
            Arc::new(self.site.finish()),
            Arc::new(self.fetched_at.finish()),
            Arc::new(self.appended_at.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.error.finish()),
            Arc::new(self.content_type.finish()),
            Arc::new(self.charset.finish()),
            Arc::new(self.headers.finish()),
            Arc::new(views(std::mem::take(&mut self.bodies))?),
            Arc::new(self.body_sha256.finish()),
            Arc::new(self.body_bytes.finish()),
            Arc::new(self.truncated.finish()),
            Arc::new(self.via.finish()),
            Arc::new(self.depth.finish()),
            Arc::new(self.hops.finish()),
            Arc::new(self.elapsed_ms.finish()),
            Arc::new(self.remote.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
        ];
        let schema = columns::schema_of_views(DataSet::Artefacts);
        let batch = RecordBatch::try_new(schema, arrays)?;
        Ok((batch, std::mem::take(&mut self.digests), std::mem::take(&mut self.bytes)))
    }
}

/// Bodies as an array that refers to them.
fn views(bodies: Vec<Bytes>) -> Result<BinaryViewArray> {
    let mut views = BinaryViewBuilder::with_capacity(bodies.len());
    for body in bodies {
        let bytes = u32::try_from(body.len())?;
        let block = views.append_block(Buffer::from(body));
        views.try_append_view(block, 0, bytes)?;
    }
    Ok(views.finish())
}
