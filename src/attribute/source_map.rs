//! The user's table of names and the addresses that they stand for.

use std::collections::HashMap;
use std::net::IpAddr;

/// `NAME IP` or `HOST NAME IP`; the more exact entry wins.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    by_name: HashMap<String, IpAddr>,
    by_host_and_name: HashMap<(String, String), IpAddr>,
}

/// What a source's name may be called: `postfix-out1` stands for each of its services, such as `postfix-out1/smtp`.
pub fn known_as(name: &str) -> [Option<&str>; 2] {
    [Some(name), name.rsplit_once('/').map(|(front, _)| front)]
}

/// A line of the map that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why} (write `NAME IP` or `HOST NAME IP`)")]
pub struct BadSourceMap {
    pub line: usize,
    pub why: String,
}

impl SourceMap {
    /// Reads the text of a map; `#` begins a comment.
    pub fn parse(text: &str) -> Result<Self, BadSourceMap> {
        let mut map = Self::default();
        for (i, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let bad = |why: String| BadSourceMap { line: i + 1, why };
            let (host, name, ip) = match words[..] {
                [] => continue,
                [name, ip] => (None, name, ip),
                [host, name, ip] => (Some(host), name, ip),
                _ => return Err(bad(format!("{} words", words.len()))),
            };
            let ip = ip.parse().map_err(|_| bad(format!("`{ip}` is no IP address")))?;
            map.insert(host, name, ip);
        }
        Ok(map)
    }

    /// Adds one entry; a later one replaces an equal earlier one.
    pub fn insert(&mut self, host: Option<&str>, name: &str, ip: IpAddr) {
        match host {
            Some(host) => self.by_host_and_name.insert((host.to_owned(), name.to_owned()), ip),
            None => self.by_name.insert(name.to_owned(), ip),
        };
    }

    /// Whether there is an entry of just this form.
    pub fn has(&self, host: Option<&str>, name: &str) -> bool {
        match host {
            Some(host) => self.by_host_and_name.contains_key(&(host.to_owned(), name.to_owned())),
            None => self.by_name.contains_key(name),
        }
    }

    /// The address that stands behind a name; without one for the name, that of the host.
    pub fn get(&self, host: Option<&str>, name: Option<&str>) -> Option<IpAddr> {
        if self.by_name.is_empty() && self.by_host_and_name.is_empty() {
            return None;
        }
        let names = name.into_iter().flat_map(|name| known_as(name).into_iter().flatten());
        let exact = host.and_then(|host| {
            names.clone().find_map(|n| self.by_host_and_name.get(&(host.to_owned(), n.to_owned())))
        });
        exact
            .or_else(|| names.clone().find_map(|n| self.by_name.get(n)))
            .or_else(|| self.by_name.get(host?))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_exact_entry_wins() {
        let map = SourceMap::parse(
            "# ours\nout1 192.0.2.1\nout1/smtp 192.0.2.2 # a service\nmx2 out1 192.0.2.3\nmx9 192.0.2.9\n",
        )
        .expect("a map");
        let get = |host, name| map.get(host, name).map(|ip| ip.to_string());
        assert_eq!(get(Some("mx1"), Some("out1/relay")).as_deref(), Some("192.0.2.1"));
        assert_eq!(get(Some("mx1"), Some("out1/smtp")).as_deref(), Some("192.0.2.2"));
        assert_eq!(get(Some("mx2"), Some("out1/smtp")).as_deref(), Some("192.0.2.3"));
        assert_eq!(get(Some("mx9"), None).as_deref(), Some("192.0.2.9"));
        assert_eq!(get(None, Some("other")), None);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = SourceMap::parse("out1 192.0.2.1\nout2 nowhere\n").expect_err("no address");
        assert_eq!(
            error.to_string(),
            "line 2: `nowhere` is no IP address (write `NAME IP` or `HOST NAME IP`)"
        );
    }
}
