//! Secrets never reach a screen or a log: passwords inside URLs are masked in whatever text passes here.

use std::borrow::Cow;

/// What stands in place of a secret.
pub(crate) const MASK: &str = "***";

/// `text` with the passwords of the URLs in it masked: `mongodb://ann:secret@db/` becomes `mongodb://ann:***@db/`.
///
/// Errors, logs and `config show` pass through this; data on standard output does not.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !text.contains("://") || !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')).unwrap_or(after.len());
        clean.push_str(before);
        match password(&after[..end]) {
            Some((from, to)) => {
                clean.push_str(&after[..from]);
                clean.push_str(MASK);
                rest = &after[to..];
            }
            // Not the whole token: it may go on with another URL, as in a list of them.
            None => rest = after,
        }
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// Where the password of a URL stands; `token` is what follows its `://`.
fn password(token: &str) -> Option<(usize, usize)> {
    let authority = token.find(['/', '?', '#', ',']).unwrap_or(token.len());
    let colon = token.find(':').filter(|colon| *colon < authority)?;
    let at = match token[..authority].rfind('@') {
        Some(at) => at,
        // A password with a bare slash in it: what follows the colon is no port then.
        None if !token[colon + 1..authority].bytes().all(|b| b.is_ascii_digit()) => token.rfind('@')?,
        None => return None,
    };
    (colon < at).then_some((colon + 1, at))
}

/// True for the name of a flag whose value nobody may see: `mongo-password`, but not `password-file` or `token-length`.
pub(crate) fn is_secret(key: &str) -> bool {
    let last = key.rsplit(['-', '_', '.']).next().unwrap_or(key);
    ["password", "passwd", "passphrase", "token", "secret"].contains(&last.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_masked_and_nothing_else_is_touched() {
        for (text, clean) in [
            ("mongodb://ann:secret@db:27017/x?a=b", "mongodb://ann:***@db:27017/x?a=b"),
            ("see https://u:p@h/ and kafka://a:1,b:2/p", "see https://u:***@h/ and kafka://a:1,b:2/p"),
            ("kafka://u:p@a:1,b:2", "kafka://u:***@a:1,b:2"),
            ("mongodb://u:p,q@h/x", "mongodb://u:***@h/x"),
            ("http://u:p@ss@h/", "http://u:***@h/"),
            ("http://u:pa/ss@h/", "http://u:***@h/"),
            ("http://h:8080/@user", "http://h:8080/@user"),
            ("http://ann@h/ says a:b", "http://ann@h/ says a:b"),
            ("http://[::1]:80/ mail me@x", "http://[::1]:80/ mail me@x"),
            ("http://a/,http://u:p@h/", "http://a/,http://u:***@h/"),
            ("{\"url\":\"http://u:p@h\"}", "{\"url\":\"http://u:***@h\"}"),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    #[test]
    fn secret_flags_are_known_by_their_names() {
        assert!(is_secret("mongo-password") && is_secret("api-TOKEN") && is_secret("secret"));
        assert!(!is_secret("bus") && !is_secret("password-file") && !is_secret("token-length"));
    }
}
