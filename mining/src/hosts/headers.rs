//! What the headers of a response say about caching and security.

/// How many responses said what.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Headers {
    /// A cache may keep them.
    pub cacheable: u64,
    /// They can be asked for conditionally.
    pub validators: u64,
    /// They came compressed.
    pub compressed: u64,
    /// Strict-transport-security, over https.
    pub hsts: u64,
    /// Content-security-policy.
    pub csp: u64,
    /// X-content-type-options: nosniff.
    pub nosniff: u64,
    /// X-frame-options, or frame-ancestors in the policy.
    pub frame: u64,
    /// Referrer-policy.
    pub referrer: u64,
}

impl Headers {
    /// Counts one response; gives its server header.
    pub fn add<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>, https: bool) -> Option<&'a str> {
        let mut server = None;
        let (mut control, mut expires) = (None, false);
        let (mut validators, mut compressed, mut hsts, mut csp) = (false, false, false, false);
        let (mut nosniff, mut frame, mut referrer) = (false, false, false);
        for (name, value) in pairs {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            if is("server") {
                server = Some(value);
            } else if is("cache-control") {
                control = Some(control.unwrap_or(true) & keeps(value));
            } else if is("expires") {
                expires = value.trim() != "0" && value.trim() != "-1";
            } else if is("etag") || is("last-modified") {
                validators = true;
            } else if is("content-encoding") {
                compressed = !value.trim().eq_ignore_ascii_case("identity");
            } else if is("strict-transport-security") {
                hsts = https;
            } else if is("content-security-policy") {
                csp = true;
                frame |= value.to_ascii_lowercase().contains("frame-ancestors");
            } else if is("x-content-type-options") {
                nosniff |= value.trim().eq_ignore_ascii_case("nosniff");
            } else if is("x-frame-options") {
                frame = true;
            } else if is("referrer-policy") {
                referrer = true;
            }
        }
        self.cacheable += u64::from(control.unwrap_or(expires));
        self.validators += u64::from(validators);
        self.compressed += u64::from(compressed);
        self.hsts += u64::from(hsts);
        self.csp += u64::from(csp);
        self.nosniff += u64::from(nosniff);
        self.frame += u64::from(frame);
        self.referrer += u64::from(referrer);
        server
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: &Headers) {
        self.cacheable += other.cacheable;
        self.validators += other.validators;
        self.compressed += other.compressed;
        self.hsts += other.hsts;
        self.csp += other.csp;
        self.nosniff += other.nosniff;
        self.frame += other.frame;
        self.referrer += other.referrer;
    }
}

/// Whether a cache may keep a response with this cache-control and use it without asking.
fn keeps(control: &str) -> bool {
    let mut lives = false;
    for part in control.split(',') {
        let part = part.trim().to_ascii_lowercase();
        if part.starts_with("no-store") || part.starts_with("no-cache") {
            return false;
        }
        let age = part.strip_prefix("max-age=").or_else(|| part.strip_prefix("s-maxage="));
        lives |= age.is_some_and(|age| age.trim_matches('"').parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_may_be_kept_when_it_says_so() {
        for (control, kept) in [
            ("max-age=60", true),
            ("public, MAX-AGE=3600, must-revalidate", true),
            ("s-maxage=10", true),
            ("max-age=0", false),
            ("no-cache, max-age=60", false),
            ("private", false),
            ("no-store", false),
            ("", false),
        ] {
            assert_eq!(keeps(control), kept, "{control}");
        }
    }

    #[test]
    fn headers_are_known_by_name_whatever_their_case() {
        let mut headers = Headers::default();
        let pairs = [
            ("Server", "nginx"),
            ("ETag", "x"),
            ("Strict-Transport-Security", "max-age=1"),
            ("Content-Security-Policy", "default-src 'self'; Frame-Ancestors 'none'"),
            ("X-Content-Type-Options", "NoSniff"),
            ("Expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
        ];
        assert_eq!(headers.add(pairs.into_iter(), false), Some("nginx"));
        let wanted = Headers { cacheable: 1, validators: 1, csp: 1, nosniff: 1, frame: 1, ..Headers::default() };
        assert_eq!(headers, wanted, "transport security counts over https only");
    }
}
