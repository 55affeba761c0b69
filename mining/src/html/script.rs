//! The page's one script: it sorts tables when a heading is pressed. Without it the page reads the same.

use sha2::{Digest, Sha256};

/// The script's text.
pub const SORT: &str = include_str!("sort.js");

/// Its hash as the page's policy wants it: `sha256-` and base64.
pub fn hash() -> String {
    format!("sha256-{}", base64(&Sha256::digest(SORT)))
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0u32, |word, i| word << 8 | u32::from(chunk.get(i).copied().unwrap_or(0)));
        for place in 0..4 {
            let digit = word >> (18 - 6 * place) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), wanted);
        }
    }

    #[test]
    fn the_script_does_not_end_its_element() {
        assert!(!SORT.contains("</"));
    }
}
