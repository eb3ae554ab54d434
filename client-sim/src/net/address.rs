//! Where a server is: the part of a URL that a client needs.

use std::fmt;
use std::str::FromStr;

/// An address such as `http://127.0.0.1:7777` or `ws://play.example/ws`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    /// Whether TLS is spoken there.
    pub(crate) tls: bool,
    /// A name or an IP address; without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Begins with a slash; without one at its end, unless it is nothing else.
    pub(crate) path: String,
    /// What the text began with.
    scheme: &'static str,
}

impl Address {
    /// Host and port as the Host header has them.
    pub(crate) fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// The path of something below this address.
    pub(crate) fn below(&self, path: &str) -> String {
        format!("{}{path}", self.path.trim_end_matches('/'))
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        const SCHEMES: [(&str, bool); 4] =
            [("http", false), ("https", true), ("ws", false), ("wss", true)];
        let wrong = || format!("`{text}` is not an address such as http://127.0.0.1:7777");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let known = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
        let &(scheme, tls) = known.ok_or_else(wrong)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains(['?', '#'])
            || authority.contains('@')
            || text.contains(char::is_whitespace)
        {
            return Err(wrong());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let usual = if tls { 443 } else { 80 };
        let port = port.map_or(Ok(usual), str::parse).map_err(|_| wrong())?;
        if host.is_empty() || port == 0 {
            return Err(wrong());
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Address { tls, host: host.to_owned(), port, path: path.to_owned(), scheme })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path == "/" { "" } else { &self.path };
        write!(f, "{}://{}{path}", self.scheme, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let address: Address = "http://127.0.0.1:7777".parse().unwrap();
        assert_eq!((address.host.as_str(), address.port, address.tls), ("127.0.0.1", 7777, false));
        assert_eq!(address.below("/api/join"), "/api/join");
        assert_eq!(address.authority(), "127.0.0.1:7777");
        let address: Address = "wss://play.example/tick/ws".parse().unwrap();
        assert_eq!((address.port, address.tls), (443, true));
        assert_eq!(
            (address.path.as_str(), address.authority().as_str()),
            ("/tick/ws", "play.example")
        );
        let address: Address = "http://[::1]:80/".parse().unwrap();
        assert_eq!((address.host.as_str(), address.authority().as_str()), ("::1", "[::1]"));
        for text in ["http://127.0.0.1:7777", "https://play.example", "ws://[::1]:99/ws"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for wrong in [
            "127.0.0.1:7777",
            "ftp://x",
            "http://",
            "http://:80",
            "http://x:0",
            "http://x:99999",
            "http://a b",
            "http://u@x",
            "http://x/?q",
            "",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
