//! Headers of a record as one blob: per header the name's length, the name, the value's length, the value; lengths in
//! LEB128, least significant seven bits first.

use bytes::Bytes;

use crate::{Headers, record};

pub(super) fn encode(headers: &Headers, into: &mut Vec<u8>) {
    into.clear();
    for (name, value) in &headers.0 {
        put(name.as_bytes(), into);
        put(value, into);
    }
}

/// Values are slices of `blob`. None when the blob is damaged.
pub(super) fn decode(blob: Bytes) -> Option<Headers> {
    let mut headers = Headers::default();
    let mut at = 0;
    while at < blob.len() {
        let name = record::name(std::str::from_utf8(take(&blob, &mut at)?).ok()?);
        let value = take(&blob, &mut at)?;
        headers.0.push((name, blob.slice_ref(value)));
    }
    Some(headers)
}

fn put(bytes: &[u8], into: &mut Vec<u8>) {
    let mut length = bytes.len();
    while length >= 0x80 {
        into.push(length as u8 | 0x80);
        length >>= 7;
    }
    into.push(length as u8);
    into.extend_from_slice(bytes);
}

fn take<'a>(blob: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let mut length = 0_u64;
    for shift in (0..63).step_by(7) {
        let byte = *blob.get(*at)?;
        *at += 1;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            let bytes = blob.get(*at..end)?;
            *at = end;
            return Some(bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decoding_undoes_encoding(headers in prop::collection::vec((".{0,20}", prop::collection::vec(any::<u8>(), 0..400)), 0..9)) {
            let headers = Headers(headers.into_iter().map(|(n, v)| (n.into(), v.into())).collect());
            let mut blob = vec![1, 2, 3];
            encode(&headers, &mut blob);
            prop_assert_eq!(decode(blob.into()), Some(headers));
        }

        #[test]
        fn damage_is_noticed_or_harmless(blob in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(headers) = decode(blob.clone().into()) {
                let size: usize = headers.0.iter().map(|(n, v)| n.len() + v.len()).sum();
                prop_assert!(size <= blob.len());
            }
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_damage() {
        for blob in [&[5, b'a'][..], &[1, b'a'], &[1, b'a', 2, 0], &[0xff; 20], &[1, 0xff, 0]] {
            assert_eq!(decode(Bytes::copy_from_slice(blob)), None, "{blob:?}");
        }
    }
}
