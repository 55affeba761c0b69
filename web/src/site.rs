//! Registrable domains, by the public suffix list.

use std::net::Ipv4Addr;

/// Registrable domain of a host (port dropped): `docs.example.co.uk:8080` → `example.co.uk`. An address, a name with no
/// dot or a public suffix is its own site.
///
/// The list's private part counts: `me.github.io` and `you.github.io` are two sites, as they are to browsers. A name
/// under a top-level domain that the list does not know has its last two labels as its site.
///
/// ```
/// assert_eq!(web::registrable("docs.example.co.uk:8080"), "example.co.uk");
/// assert_eq!(web::registrable("127.0.0.1:8000"), "127.0.0.1");
/// assert_eq!(web::registrable("[::1]:8080"), "[::1]");
/// assert_eq!(web::registrable("localhost"), "localhost");
/// ```
pub fn registrable(host: &str) -> &str {
    let name = without_port(host);
    if name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok() {
        return name;
    }
    psl::domain_str(name).unwrap_or(name)
}

/// A host as [`Canonical::host`](crate::Canonical::host) gives it, without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::registrable;

    #[test]
    fn a_host_belongs_to_its_site() {
        for (host, site) in [
            ("example.org", "example.org"),
            ("www.example.org", "example.org"),
            ("a.b.c.example.org:8080", "example.org"),
            ("docs.example.co.uk:8080", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("uk", "uk"),
            ("me.github.io", "me.github.io"),
            ("a.me.github.io", "me.github.io"),
            ("www.xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("pi2.home.lan", "home.lan"),
            ("localhost", "localhost"),
            ("localhost:8000", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1:8000", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2001:db8::1]:8080", "[2001:db8::1]"),
            ("", ""),
            (":80", ""),
            ("..", ".."),
        ] {
            assert_eq!(registrable(host), site, "{host}");
        }
    }
}
