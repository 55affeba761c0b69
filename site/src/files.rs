//! From a path to a file: percent-decoding, index.html, content types, validators.

use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands at a path, before any misbehaviour.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Found {
    pub(crate) fn html(status: u16, body: impl Into<Bytes>) -> Found {
        Found { status, headers: vec![("content-type".into(), "text/html; charset=utf-8".into())], body: body.into() }
    }

    pub(crate) fn missing() -> Found {
        Found::html(404, "<!doctype html><title>Not found</title><p>There is nothing here.</p>")
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Found {
        let mut found = Found::html(status, "<!doctype html><title>Moved</title><p>It has moved.</p>");
        found.headers.push(("location".into(), to.into()));
        found
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets a header; an empty value removes it.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(key, _)| key != name);
        if !value.is_empty() {
            self.headers.push((name.into(), value.into()));
        }
    }
}

/// What the folder has at `path` (no query). A directory is its index.html; without the final slash it redirects.
pub(crate) fn find(folder: &Path, path: &str, listing: bool) -> Found {
    let Some(file) = locate(folder, path) else { return Found::missing() };
    let Ok(meta) = file.metadata() else { return Found::missing() };
    if meta.is_dir() {
        if !path.ends_with('/') {
            return Found::redirect(301, &format!("{path}/"));
        }
        let index = file.join("index.html");
        return match (index.is_file(), listing) {
            (true, _) => read(&index),
            (false, true) => list(&file),
            (false, false) => Found::missing(),
        };
    }
    // "file.html/" is not a file
    if path.ends_with('/') { Found::missing() } else { read(&file) }
}

/// The file that a path means; `None` when it would leave the folder or cannot be a file name.
fn locate(folder: &Path, path: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let decoded: Vec<u8> = percent_decode_str(path.trim_start_matches('/')).collect();
    if decoded.contains(&0) {
        return None;
    }
    let relative = Path::new(std::ffi::OsStr::from_bytes(&decoded));
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    inside.then(|| folder.join(relative))
}

fn read(file: &Path) -> Found {
    let (Ok(body), Ok(meta)) = (std::fs::read(file), file.metadata()) else { return Found::missing() };
    let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let seconds = Duration::from_secs(modified.as_secs());
    let mut headers = vec![
        ("etag".to_string(), format!("\"{:x}-{:x}\"", modified.as_micros(), body.len())),
        ("last-modified".to_string(), httpdate::fmt_http_date(UNIX_EPOCH + seconds)),
    ];
    if let Some(kind) = content_type(file) {
        headers.push(("content-type".into(), kind.into()));
    }
    Found { status: 200, headers, body: body.into() }
}

/// What a path segment may not contain unencoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn list(folder: &Path) -> Found {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            entry.file_name().into_string().ok().map(|name| name + slash)
        })
        .collect();
    names.sort();
    let items: String = names
        .iter()
        .map(|name| {
            let (stem, slash) = name.strip_suffix('/').map_or((name.as_str(), ""), |stem| (stem, "/"));
            let text = stem.replace('&', "&amp;").replace('<', "&lt;");
            format!("<li><a href=\"{}{slash}\">{text}{slash}</a></li>\n", utf8_percent_encode(stem, SEGMENT))
        })
        .collect();
    Found::html(200, format!("<!doctype html><title>Contents</title>\n<ul>\n{items}</ul>\n"))
}

/// Content type by the extension, as nginx would say it: no charset, since pages declare their own.
fn content_type(file: &Path) -> Option<&'static str> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "html" | "htm" => "text/html",
        "xhtml" => "application/xhtml+xml",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "xml" => "text/xml",
        "txt" | "md" | "rs" => "text/plain",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "pdf" => "application/pdf",
        "gz" => "application/gzip",
        "zip" => "application/zip",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn no_path_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(folder.path().join("secret.html"), "secret").unwrap();
        std::fs::write(inside.join("a b.html"), "page").unwrap();
        for path in ["/../secret.html", "/%2e%2e/secret.html", "/..%2fsecret.html", "//../secret.html", "/a%00.html"] {
            assert_eq!(find(&inside, path, false).status, 404, "{path}");
        }
        assert_eq!(find(&inside, "/a%20b.html", false).status, 200);
        assert_eq!(find(&inside, "/a%20b.html/", false).status, 404);
    }

    #[test]
    fn a_listing_links_to_names_that_need_encoding() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a \"<&.html"), "page").unwrap();
        assert_eq!(find(folder.path(), "/", false).status, 404);
        let list = String::from_utf8(find(folder.path(), "/", true).body.to_vec()).unwrap();
        assert!(list.contains("href=\"a%20%22%3C%26.html\">a \"&lt;&amp;.html</a>"), "{list}");
    }
}
