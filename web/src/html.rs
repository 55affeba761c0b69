//! Which bodies are HTML.

/// True for what is read as HTML: by its Content-Type, or, where the server said none, by its look.
///
/// ```
/// assert!(web::is_html(Some("text/html; charset=utf-8"), b""));
/// assert!(web::is_html(None, b"\n<!DOCTYPE html><title>x"));
/// assert!(!web::is_html(Some("text/plain"), b"<!DOCTYPE html><title>x"));
/// ```
pub fn is_html(content_type: Option<&str>, body: &[u8]) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match essence.is_empty() {
        true => looks_like_html(body),
        false => essence.eq_ignore_ascii_case("text/html") || essence.eq_ignore_ascii_case("application/xhtml+xml"),
    }
}

/// By the first tag (WHATWG MIME Sniffing, section 7.1, made short).
fn looks_like_html(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let start = body.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(body.len());
    let head: Vec<u8> = body[start..].iter().take(16).map(u8::to_ascii_lowercase).collect();
    const TAGS: [&[u8]; 18] = [
        b"<!doctype html",
        b"<html",
        b"<head",
        b"<script",
        b"<iframe",
        b"<h1",
        b"<div",
        b"<font",
        b"<table",
        b"<a",
        b"<style",
        b"<title",
        b"<b",
        b"<body",
        b"<br",
        b"<p",
        b"<!--",
        b"<meta",
    ];
    TAGS.iter().any(|tag| {
        head.strip_prefix(*tag).is_some_and(|rest| {
            tag.ends_with(b"--") || matches!(rest.first(), None | Some(b' ' | b'>' | b'\t' | b'\n' | b'\r' | b'/'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::looks_like_html;

    #[test]
    fn html_is_known_by_its_look() {
        for html in ["<!DOCTYPE html><title>x", "\n  <HTML lang=en>", "\u{feff}<p>x", "<!--x-->", "<a href=x>"] {
            assert!(looks_like_html(html.as_bytes()), "{html}");
        }
        for other in ["", "plain", "%PDF-1.4", "{\"a\":1}", "<?xml version=\"1.0\"?><rss/>", "<abc>"] {
            assert!(!looks_like_html(other.as_bytes()), "{other}");
        }
    }
}
