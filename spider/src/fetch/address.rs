//! Which addresses may be reached: public ones, and the ranges that the user names.
//!
//! Names are checked where they are resolved for a connection, so an answer that changes between check and use (DNS
//! rebinding) gains nothing; addresses in URLs are checked before the request is sent. Redirects are fetched one by
//! one, so each hop passes here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::error::NoAddress;

/// The rule.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    allowed: Vec<IpNet>,
}

/// An address that must not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{ip} is {what}; --allow-address {ip} would allow it")]
pub struct Blocked {
    /// The address.
    pub ip: IpAddr,
    /// Which kind of address it is.
    pub what: &'static str,
}

impl Addresses {
    /// Public addresses and `allowed`.
    pub fn new(allowed: Vec<IpNet>) -> Addresses {
        Addresses { allowed }
    }

    /// Whether an address may be reached.
    pub fn check(&self, ip: IpAddr) -> Result<(), Blocked> {
        let plain = embedded(ip);
        let allowed = |ip: IpAddr| self.allowed.iter().any(|net| net.contains(&ip));
        match kind(plain) {
            None => Ok(()),
            Some(_) if allowed(ip) || allowed(plain) => Ok(()),
            Some(what) => Err(Blocked { ip, what }),
        }
    }

    /// Checks the host of a URL when it is an address; a name is checked when it is resolved.
    pub fn check_literal(&self, url: &Url) -> Result<(), Blocked> {
        match url.host() {
            Some(Host::Ipv4(ip)) => self.check(ip.into()),
            Some(Host::Ipv6(ip)) => self.check(ip.into()),
            _ => Ok(()),
        }
    }
}

/// The IPv4 address that an IPv6 one stands for, else the address itself: mapped (RFC 4291), NAT64 (RFC 6052 and 8215),
/// 6to4 (RFC 3056), Teredo's client (RFC 4380).
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let s = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] => v4(a, b),
        [0, 0, 0, 0, 0, 0, a, b] if a != 0 || b > 1 => v4(a, b),
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x64, 0xff9b, 1, _, _, _, a, b] => v4(a, b),
        [0x2002, a, b, ..] => v4(a, b),
        [0x2001, 0, _, _, _, _, a, b] => v4(!a, !b),
        _ => ip,
    }
}

/// What kind of special address it is; none for a public one. By the IANA special-purpose address registries.
fn kind(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => kind4(ip),
        IpAddr::V6(ip) => kind6(ip),
    }
}

fn kind4(ip: Ipv4Addr) -> Option<&'static str> {
    Some(match ip.octets() {
        [0, ..] => "an address of \"this network\"",
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "an address behind a carrier's NAT",
        [169, 254, ..] => "a link-local address",
        [192, 0, 0, _] | [192, 88, 99, _] => "a reserved address",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address for documentation",
        [198, 18..=19, ..] => "an address for benchmarks",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

fn kind6(ip: Ipv6Addr) -> Option<&'static str> {
    let s = ip.segments();
    Some(match s[0] {
        _ if ip.is_unspecified() => "the unspecified address",
        _ if ip.is_loopback() => "a loopback address",
        0xfe80..=0xfebf => "a link-local address",
        0xfec0..=0xfeff => "a site-local address",
        0xfc00..=0xfdff => "a private address",
        0xff00..=0xffff => "a multicast address",
        0x2001 if s[1] == 0xdb8 => "an address for documentation",
        0x3fff if s[1] < 0x1000 => "an address for documentation",
        0x2001 if s[1] < 0x200 => "a reserved address",
        // global unicast is 2000::/3
        0x2000..=0x3fff => return None,
        _ => "a reserved address",
    })
}

/// Resolves names for connections, and lets through only addresses that may be reached.
#[derive(Debug, Clone)]
pub struct Resolver {
    addresses: Arc<Addresses>,
}

impl Resolver {
    /// With this rule.
    pub fn new(addresses: Arc<Addresses>) -> Resolver {
        Resolver { addresses }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.addresses.clone();
        Box::pin(async move {
            let found = resolve(name.as_str()).await?;
            let mut allowed = Vec::with_capacity(found.len());
            let mut blocked = None;
            for address in found {
                match addresses.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(e) => blocked = Some(e),
                }
            }
            match blocked {
                Some(e) if allowed.is_empty() => Err(e.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Addresses of a name, at least one.
pub async fn resolve(name: &str) -> Result<Vec<SocketAddr>, NoAddress> {
    let fail = |reason: String| NoAddress { name: name.to_owned(), reason };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await.map_err(|e| fail(e.to_string()))?.collect();
    if found.is_empty() { Err(fail("the name exists, without an address".into())) } else { Ok(found) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(rule: &Addresses, ip: &str) -> bool {
        rule.check(ip.parse().unwrap()).is_ok()
    }

    #[test]
    fn public_addresses_are_reached() {
        let rule = Addresses::default();
        for ip in
            ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.3.1", "2606:2800:220:1::1", "2a00::1"]
        {
            assert!(check(&rule, ip), "{ip}");
        }
    }

    #[test]
    fn special_addresses_are_refused_in_every_spelling() {
        let rule = Addresses::default();
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.80",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2001:0:1:1:1:1:80ff:fffe",
            "4000::1",
        ] {
            assert!(!check(&rule, ip), "{ip}");
        }
    }

    #[test]
    fn an_allowed_range_is_reached_and_nothing_beside_it() {
        let rule = Addresses::new(vec!["127.0.0.1/32".parse().unwrap(), "fd00::/16".parse().unwrap()]);
        for ip in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::5"] {
            assert!(check(&rule, ip), "{ip}");
        }
        for ip in ["127.0.0.2", "10.0.0.1", "fd01::5"] {
            assert!(!check(&rule, ip), "{ip}");
        }
    }

    #[test]
    fn addresses_in_urls_are_checked_however_they_are_written() {
        let rule = Addresses::default();
        for url in
            ["http://127.0.0.1/", "http://0x7f.1/", "http://2130706433/", "http://[::1]/", "http://017700000001/"]
        {
            assert!(rule.check_literal(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
        assert!(rule.check_literal(&Url::parse("http://example.org/").unwrap()).is_ok());
    }
}
