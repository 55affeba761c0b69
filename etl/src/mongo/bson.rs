//! BSON as it is sent: documents are written once, straight from the columns, with nothing in between.
//!
//! Format: <https://bsonspec.org/spec.html>. Only what documents of the archive need.

/// A document that is being written at the end of a buffer; [`Writing::end`] closes it.
#[must_use]
pub struct Writing {
    start: usize,
}

/// Begins a document (or an array, whose keys are "0", "1", …).
pub fn begin(out: &mut Vec<u8>) -> Writing {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    Writing { start }
}

impl Writing {
    /// Closes the document.
    pub fn end(self, out: &mut Vec<u8>) {
        out.push(0);
        let length = i32::try_from(out.len() - self.start).unwrap_or(i32::MAX);
        out[self.start..self.start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Type and name of an element. Names are ours, and have no NUL.
fn element(out: &mut Vec<u8>, kind: u8, name: &str) {
    out.push(kind);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

/// Text; NUL is allowed in it.
pub fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    element(out, 0x02, name);
    let length = i32::try_from(value.len() + 1).unwrap_or(i32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    out.push(0);
}

/// A document inside.
pub fn document(out: &mut Vec<u8>, name: &str) -> Writing {
    element(out, 0x03, name);
    begin(out)
}

/// An array inside.
pub fn array(out: &mut Vec<u8>, name: &str) -> Writing {
    element(out, 0x04, name);
    begin(out)
}

/// Bytes, which `write` writes behind what is in the buffer.
pub fn binary(out: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    element(out, 0x05, name);
    let start = out.len();
    out.extend_from_slice(&[0; 5]);
    write(out);
    let length = i32::try_from(out.len() - start - 5).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// A boolean.
pub fn boolean(out: &mut Vec<u8>, name: &str, value: bool) {
    element(out, 0x08, name);
    out.push(u8::from(value));
}

/// A date, milliseconds since 1970 UTC.
pub fn date(out: &mut Vec<u8>, name: &str, millis: i64) {
    element(out, 0x09, name);
    out.extend_from_slice(&millis.to_le_bytes());
}

/// Null.
pub fn null(out: &mut Vec<u8>, name: &str) {
    element(out, 0x0a, name);
}

/// A 64-bit integer.
pub fn int(out: &mut Vec<u8>, name: &str, value: i64) {
    element(out, 0x12, name);
    out.extend_from_slice(&value.to_le_bytes());
}

/// What stands before a document that is an element of an array, at this place.
pub fn element_at(out: &mut Vec<u8>, place: usize) {
    out.push(0x03);
    let mut digits = [0; 20];
    let (mut from, mut rest) = (digits.len(), place);
    loop {
        from -= 1;
        digits[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
    out.push(0);
}

/// A whole document that was written before, inside.
pub fn embed(out: &mut Vec<u8>, name: &str, document: &[u8]) {
    element(out, 0x03, name);
    out.extend_from_slice(document);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use mongodb::bson::{Bson, DateTime, Document, doc};

    use super::*;

    #[test]
    fn what_is_written_is_what_the_driver_reads() {
        let mut out = Vec::new();
        let whole = begin(&mut out);
        text(&mut out, "t", "a\0\u{e9}");
        binary(&mut out, "b", |out| out.extend_from_slice(&[0, 1, 255]));
        boolean(&mut out, "y", true);
        date(&mut out, "when", -1);
        null(&mut out, "n");
        int(&mut out, "i", -5);
        let list = array(&mut out, "list");
        for place in 0..101 {
            element_at(&mut out, place);
            let pair = begin(&mut out);
            text(&mut out, "name", "");
            pair.end(&mut out);
        }
        list.end(&mut out);
        whole.end(&mut out);
        let read = Document::from_reader(out.as_slice()).unwrap();
        let bytes =
            mongodb::bson::Binary { subtype: mongodb::bson::spec::BinarySubtype::Generic, bytes: vec![0, 1, 255] };
        let want = doc! {
            "t": "a\0\u{e9}", "b": bytes, "y": true, "when": DateTime::from_millis(-1), "n": Bson::Null, "i": -5_i64,
            "list": vec![Bson::Document(doc! { "name": "" }); 101],
        };
        assert_eq!(read, want);
        let raw = mongodb::bson::RawDocument::from_bytes(&out).unwrap();
        let keys: Vec<String> = raw_keys(raw.get_array("list").unwrap().as_bytes());
        assert_eq!(keys, (0..101).map(|place| place.to_string()).collect::<Vec<_>>());
    }
    fn raw_keys(array: &[u8]) -> Vec<String> {
        let raw = mongodb::bson::RawDocument::from_bytes(array).unwrap();
        raw.iter().map(|element| element.unwrap().0.to_string()).collect()
    }
}
