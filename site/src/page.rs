//! A page that lives in memory, for tests that build their site in code.

use bytes::Bytes;

/// Status, headers and body of a page. `ETag` and `Last-Modified` are up to the test.
#[derive(Debug, Clone)]
pub struct Page {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Page {
    /// 200 with this body and no header of its own.
    pub fn new(body: impl Into<Bytes>) -> Page {
        Page { status: 200, headers: Vec::new(), body: body.into() }
    }

    /// 200, `text/html; charset=utf-8`.
    pub fn html(body: impl Into<Bytes>) -> Page {
        Page::new(body).header("content-type", "text/html; charset=utf-8")
    }

    /// 200, `text/plain; charset=utf-8`: robots.txt.
    pub fn text(body: impl Into<Bytes>) -> Page {
        Page::new(body).header("content-type", "text/plain; charset=utf-8")
    }

    /// This status and an empty body.
    pub fn status(status: u16) -> Page {
        Page { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// 302 to another path or URL.
    pub fn redirect(to: &str) -> Page {
        Page::status(302).header("location", to)
    }

    /// The same with one header more. With an `etag`, a request that has it in `If-None-Match` is answered with 304.
    pub fn header(mut self, name: &str, value: &str) -> Page {
        self.headers.push((name.to_ascii_lowercase(), value.to_string()));
        self
    }

    /// The same with another status.
    pub fn with_status(mut self, status: u16) -> Page {
        self.status = status;
        self
    }
}
