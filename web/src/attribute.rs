//! Values of attributes: entities, folded text, `srcset`, and the `content` of a refresh.

use std::borrow::Cow;

/// An attribute's value with its entities decoded; NUL becomes U+FFFD, as the tokeniser of browsers makes it.
pub(crate) fn decoded(raw: Cow<'_, str>) -> Cow<'_, str> {
    if memchr::memchr2(b'&', b'\0', raw.as_bytes()).is_none() {
        return raw;
    }
    let raw = if raw.contains('\0') { Cow::Owned(raw.replace('\0', "\u{FFFD}")) } else { raw };
    htmlize::unescape_attribute(raw)
}

/// At most `bytes` bytes of a text, cut between characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The text with its white space folded to single blanks, at most `limit` characters of it; `None` when nothing is left.
pub(crate) fn text(text: &str, limit: usize) -> Option<String> {
    let (mut folded, mut count) = (String::new(), 0);
    'words: for word in text.split_whitespace() {
        if !folded.is_empty() {
            if count + 1 >= limit {
                break;
            }
            folded.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count == limit {
                break 'words;
            }
            folded.push(c);
            count += 1;
        }
    }
    (!folded.is_empty()).then_some(folded)
}

/// URLs of a `srcset` (WHATWG HTML, 4.8.4.2.2, "parsing a srcset attribute"; descriptors are skipped).
pub(crate) fn srcset(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        let url = token.trim_end_matches(',');
        rest = if url.len() < token.len() { after } else { &after[descriptors(after)..] };
        Some(url)
    })
}

/// Length of what stands before the comma that ends a candidate; commas in parentheses do not.
fn descriptors(text: &str) -> usize {
    let mut inside = false;
    text.bytes()
        .position(|byte| {
            match byte {
                b'(' => inside = true,
                b')' => inside = false,
                _ => {}
            }
            byte == b',' && !inside
        })
        .unwrap_or(text.len())
}

/// URL of a refresh (WHATWG HTML, 4.2.5.3, "shared declarative refresh steps"): `5; url='/there'`. `None` when it has
/// none, which reloads the page.
pub(crate) fn refresh(content: &str) -> Option<&str> {
    let rest = content.trim_ascii_start();
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if after.len() == rest.len() {
        return None;
    }
    let separated = |c: char| c == ';' || c == ',' || c.is_ascii_whitespace();
    if !after.starts_with(separated) {
        return None;
    }
    let after = after.trim_ascii_start();
    let url = after.strip_prefix([';', ',']).unwrap_or(after).trim_ascii_start();
    let url = without_name(url).unwrap_or(url);
    let url = match url.chars().next() {
        Some(quote @ ('"' | '\'')) => url[1..].split(quote).next().unwrap_or_default(),
        _ => url,
    };
    (!url.is_empty()).then_some(url)
}

/// What follows `url =`.
fn without_name(text: &str) -> Option<&str> {
    let name = text.get(..3).filter(|name| name.eq_ignore_ascii_case("url"))?;
    Some(text[name.len()..].trim_ascii_start().strip_prefix('=')?.trim_ascii_start())
}
