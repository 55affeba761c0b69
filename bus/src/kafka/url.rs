//! `kafka://host:port,…[/prefix]`.

use crate::{Error, Result};

/// Characters that Kafka allows in names of topics, at most 249 of them; a prefix leaves room for the name.
const LONGEST_PREFIX: usize = 120;

/// Where the brokers are, and what is put before every name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// `host:port,…`.
    pub hosts: String,
    /// Before every topic and group name; may be empty.
    pub prefix: String,
}

impl Address {
    pub fn parse(url: &str) -> Result<Address> {
        // a password that stands there against all advice must not reach a log
        let shown = match url.rsplit_once('@') {
            Some((_, rest)) => format!("kafka://…@{rest}"),
            None => url.to_owned(),
        };
        let refuse = |reason: &str| Err(Error::Url { url: shown.clone(), reason: reason.into() });
        let rest = url.strip_prefix("kafka://").unwrap_or(url);
        if rest.contains('@') {
            return refuse("user and password belong into a file of librdkafka properties, named by --bus-config");
        }
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if hosts.is_empty() || hosts.split(',').any(|host| !is_host(host)) {
            return refuse("it needs brokers, as in kafka://host:9092 or kafka://one:9092,two:9092/prefix.");
        }
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !prefix.bytes().all(fine) || prefix.len() > LONGEST_PREFIX {
            return refuse("a prefix has letters, digits, full stop, _ and - only, and at most 120 of them");
        }
        Ok(Address { hosts: hosts.into(), prefix: prefix.into() })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "kafka://{}{slash}{}", self.hosts, self.prefix)
    }
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, Some(port)),
        _ => (text, None),
    };
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let good = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
    };
    good && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_prefix_are_told_apart() {
        let parsed = Address::parse("kafka://a:9092,b:9093/test7.").unwrap();
        assert_eq!((parsed.hosts.as_str(), parsed.prefix.as_str()), ("a:9092,b:9093", "test7."));
        assert_eq!(parsed.to_string(), "kafka://a:9092,b:9093/test7.");
        assert_eq!(Address::parse("kafka://[::1]:9092").unwrap().hosts, "[::1]:9092");
        assert_eq!(Address::parse("kafka://pi1").unwrap().to_string(), "kafka://pi1");
        for bad in
            ["kafka://", "kafka:///x", "kafka://a:b", "kafka://a:0", "kafka://a,,b", "kafka://a b", "kafka://a/x/y"]
        {
            assert!(matches!(Address::parse(bad), Err(Error::Url { .. })), "{bad}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let text = Address::parse("kafka://alice:s3cret@host:9092").unwrap_err().to_string();
        assert!(!text.contains("s3cret") && !text.contains("alice") && text.contains("--bus-config"), "{text}");
    }
}
