//! A batch of documents on its way to the server: at most 1,000 of them, and at most 12 MiB unless one alone is larger.

use mongodb::bson::raw::RawDocumentBuf;

use crate::mongo::bson;
use crate::mongo::document::Collection;

/// Most documents of a batch.
pub const DOCUMENTS: usize = 1_000;
/// Bytes at which a batch is sent. The bound is 12 MiB; less keeps more batches in flight in the same memory.
pub const BYTES: usize = 3 << 20;
/// Most bytes of a batch.
const MOST: usize = 12 << 20;
/// Most bytes of one document, of every MongoDB and FerretDB.
pub const DOCUMENT_BYTES: usize = 16 << 20;
/// Replacements of one command; FerretDB 1.24 hangs for ever on more than a hundred.
const REPLACEMENTS: usize = 64;

/// One document of a batch.
#[derive(Debug, Clone)]
pub struct Doc {
    /// `_id`.
    pub id: String,
    /// `rev`.
    pub rev: u128,
    /// Where its bytes begin and end.
    place: (usize, usize),
}

/// Documents of one collection, back to back: each is an element of the array that an insert command sends, so that the
/// command for all of them is one copy.
#[derive(Debug)]
pub struct Batch {
    /// Where they go.
    pub collection: Collection,
    /// The documents.
    pub docs: Vec<Doc>,
    elements: Vec<u8>,
}

impl Batch {
    /// An empty one.
    pub fn new(collection: Collection) -> Batch {
        Batch { collection, docs: Vec::new(), elements: Vec::with_capacity(BYTES + BYTES / 8) }
    }

    /// Bytes of its documents.
    pub fn bytes(&self) -> usize {
        self.elements.len()
    }

    /// True when it is to be sent before more comes.
    pub fn is_full(&self) -> bool {
        self.docs.len() >= DOCUMENTS || self.bytes() >= BYTES
    }

    /// True when a document of so many bytes, the last one, is too much for it.
    pub fn is_over(&self) -> bool {
        self.docs.len() > 1 && self.bytes() > MOST
    }

    /// Adds a document, which `write` writes behind what is in the buffer; gives its size.
    pub fn push(&mut self, id: &str, rev: u128, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        bson::element_at(&mut self.elements, self.docs.len());
        let begin = self.elements.len();
        write(&mut self.elements);
        let place = (begin, self.elements.len());
        self.docs.push(Doc { id: id.to_owned(), rev, place });
        place.1 - place.0
    }

    /// Takes the last document out again.
    pub fn pop(&mut self) -> Option<(Doc, Vec<u8>)> {
        let doc = self.docs.pop()?;
        let bytes = self.elements.split_off(doc.place.0);
        // what announced it goes too
        self.elements.truncate(self.docs.last().map_or(0, |last| last.place.1));
        Some((doc, bytes))
    }

    /// Puts back what [`Batch::pop`] took, from another batch.
    pub fn put(&mut self, (doc, bytes): (Doc, Vec<u8>)) {
        self.push(&doc.id, doc.rev, |out| out.extend_from_slice(&bytes));
    }

    /// One document's bytes.
    pub fn document(&self, i: usize) -> &[u8] {
        let (begin, end) = self.docs[i].place;
        &self.elements[begin..end]
    }

    /// The command that inserts some of the documents, unordered. `places` are in order, and each is there once.
    pub fn insert(&self, places: &[usize]) -> mongodb::error::Result<RawDocumentBuf> {
        let mut out = Vec::with_capacity(self.bytes() + 256);
        let command = bson::begin(&mut out);
        bson::text(&mut out, "insert", self.collection.name());
        head(&mut out);
        let list = bson::array(&mut out, "documents");
        if places.len() == self.docs.len() {
            out.extend_from_slice(&self.elements);
        } else {
            for (n, i) in places.iter().enumerate() {
                bson::element_at(&mut out, n);
                out.extend_from_slice(self.document(*i));
            }
        }
        list.end(&mut out);
        command.end(&mut out);
        Ok(RawDocumentBuf::from_bytes(out)?)
    }

    /// Splits documents into as many as one command may replace.
    pub fn replaceable<'a>(&self, places: &'a [usize]) -> Vec<&'a [usize]> {
        let (mut parts, mut from, mut bytes) = (Vec::new(), 0, 0);
        for (n, i) in places.iter().enumerate() {
            let size = self.document(*i).len();
            if n > from && (n - from >= REPLACEMENTS || bytes + size > BYTES) {
                parts.push(&places[from..n]);
                (from, bytes) = (n, 0);
            }
            bytes += size;
        }
        if from < places.len() {
            parts.push(&places[from..]);
        }
        parts
    }

    /// The command that puts some of the documents in the places of those that have their `_id`.
    pub fn replace(&self, places: &[usize]) -> mongodb::error::Result<RawDocumentBuf> {
        let mut out = Vec::with_capacity(BYTES + 256);
        let command = bson::begin(&mut out);
        bson::text(&mut out, "update", self.collection.name());
        head(&mut out);
        let list = bson::array(&mut out, "updates");
        for (n, i) in places.iter().enumerate() {
            let one = bson::document(&mut out, &n.to_string());
            let query = bson::document(&mut out, "q");
            bson::text(&mut out, "_id", &self.docs[*i].id);
            query.end(&mut out);
            bson::embed(&mut out, "u", self.document(*i));
            bson::boolean(&mut out, "upsert", true);
            one.end(&mut out);
        }
        list.end(&mut out);
        command.end(&mut out);
        Ok(RawDocumentBuf::from_bytes(out)?)
    }
}

/// Unordered, so that one refused document does not hold up the others; acknowledged when it is on the disks of most members.
fn head(out: &mut Vec<u8>) {
    bson::boolean(out, "ordered", false);
    let concern = bson::document(out, "writeConcern");
    bson::text(out, "w", "majority");
    bson::boolean(out, "j", true);
    concern.end(out);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn batch(sizes: &[usize]) -> Batch {
        let mut batch = Batch::new(Collection::Pages);
        for (i, size) in sizes.iter().enumerate() {
            batch.push(&i.to_string(), 1, |out| {
                let document = bson::begin(out);
                bson::text(out, "_id", &i.to_string());
                bson::binary(out, "b", |out| out.resize(out.len() + *size, 0));
                document.end(out);
            });
        }
        batch
    }

    #[test]
    fn a_command_holds_the_documents_that_were_chosen() {
        let batch = batch(&[1, 2, 3]);
        let command: mongodb::bson::Document = batch.insert(&[0, 2]).unwrap().try_into().unwrap();
        let documents = command.get_array("documents").unwrap();
        let ids: Vec<&str> = documents.iter().map(|d| d.as_document().unwrap().get_str("_id").unwrap()).collect();
        assert_eq!(ids, ["0", "2"]);
        assert!(!command.get_bool("ordered").unwrap());
        let command: mongodb::bson::Document = batch.replace(&[1]).unwrap().try_into().unwrap();
        let update = command.get_array("updates").unwrap()[0].as_document().unwrap();
        assert_eq!(update.get_document("q").unwrap().get_str("_id").unwrap(), "1");
        assert_eq!(update.get_document("u").unwrap().get_str("_id").unwrap(), "1");
    }

    #[test]
    fn no_more_documents_are_replaced_at_once_than_ferretdb_bears() {
        let small = batch(&[1; 150]);
        let places: Vec<usize> = (0..150).collect();
        assert_eq!(small.replaceable(&places).iter().map(|part| part.len()).collect::<Vec<_>>(), [64, 64, 22]);
        let large = batch(&[3 << 20; 3]);
        assert_eq!(large.replaceable(&[0, 1, 2]).len(), 3);
        assert!(large.replaceable(&[]).is_empty());
    }
}
