//! What a file is, by the ending of its name, as a web server would say it.

/// Media type; none where the name does not tell, and the content has to.
pub fn media_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" | "shtml" => "text/html",
        "xhtml" | "xht" => "application/xhtml+xml",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "json" | "map" => "application/json",
        "xml" | "rss" | "atom" => "application/xml",
        "txt" | "log" | "rst" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "pdf" => "application/pdf",
        "epub" => "application/epub+zip",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "gz" | "tgz" => "application/gzip",
        "zip" => "application/zip",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ending_counts_in_either_case() {
        assert_eq!(media_type("a.tar.GZ"), Some("application/gzip"));
        assert_eq!(media_type("index.HTML"), Some("text/html"));
        assert_eq!(media_type("README"), None);
        assert_eq!(media_type("x.unheard"), None);
    }
}
