//! Any bytes decode, whatever the server says of them on the first line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use web::{decode, sniff};

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let content_type = std::str::from_utf8(&bytes[..end]).ok();
    let (text, charset) = decode(bytes, content_type);
    assert_eq!(charset, sniff(bytes, content_type));
    assert!(text.len() <= 3 * bytes.len());
});
