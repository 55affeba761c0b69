//! Percent-encoding in its normal form (RFC 3986, section 6.2.2): upper-case digits, unreserved characters decoded.

/// Appends a path or query in its normal form.
///
/// A `%` that begins no escape stays. An escape stays too where its character, decoded, would complete such a `%` to an
/// escape that nobody wrote: `%%34%31` must not become `%41`.
pub(crate) fn normalise(part: &str, out: &mut String) {
    let bytes = part.as_bytes();
    let mut done = 0;
    // where the last bare `%` stands in `out`
    let mut bare = None;
    for at in memchr::memchr_iter(b'%', bytes) {
        if at < done {
            continue;
        }
        out.push_str(&part[done..at]);
        done = at;
        let Some((high, low)) = digits(bytes, at) else {
            bare = Some(out.len());
            out.push('%');
            done += 1;
            continue;
        };
        let byte = high << 4 | low;
        let completes = bare.is_some_and(|bare| out.len() - bare <= 2);
        if is_unreserved(byte) && !completes {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(b"0123456789ABCDEF"[usize::from(high)]));
            out.push(char::from(b"0123456789ABCDEF"[usize::from(low)]));
        }
        done += 3;
    }
    out.push_str(&part[done..]);
}

/// Values of the two digits after a `%`.
fn digits(bytes: &[u8], at: usize) -> Option<(u8, u8)> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*bytes.get(at + 1)?)?, digit(*bytes.get(at + 2)?)?))
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::normalise;

    fn normal(part: &str) -> String {
        let mut out = String::new();
        normalise(part, &mut out);
        out
    }

    #[test]
    fn escapes_take_their_normal_form() {
        for (written, expected) in [
            ("", ""),
            ("/a b", "/a b"),
            ("/%7e%41%2d%2E%5f", "/~A-._"),
            ("/%2f%3a%e2%82%ac", "/%2F%3A%E2%82%AC"),
            ("/%25%34%31", "/%2541"),
            ("/100%", "/100%"),
            ("/%4", "/%4"),
            ("/%zz%7e", "/%zz~"),
            ("/%%34%31", "/%%341"),
            ("/%4%31", "/%4%31"),
            ("/%é%41", "/%éA"),
        ] {
            assert_eq!(normal(written), expected, "{written}");
        }
    }

    proptest! {
        #[test]
        fn normal_form_is_normal(part in "[%a-fA-F0-9~/é]{0,24}") {
            let once = normal(&part);
            prop_assert_eq!(normal(&once), once);
        }

        #[test]
        fn normal_form_decodes_to_the_same_bytes(part in "[%a-fA-F0-9~/é]{0,24}") {
            prop_assert_eq!(decoded(&part), decoded(&normal(&part)));
        }
    }

    /// What a server that takes a bare `%` as it is sees.
    fn decoded(part: &str) -> Vec<u8> {
        let (bytes, mut out, mut at) = (part.as_bytes(), Vec::new(), 0);
        while at < bytes.len() {
            match super::digits(bytes, at).filter(|_| bytes[at] == b'%') {
                Some((high, low)) => {
                    out.push(high << 4 | low);
                    at += 3;
                }
                None => {
                    out.push(bytes[at]);
                    at += 1;
                }
            }
        }
        out
    }
}
