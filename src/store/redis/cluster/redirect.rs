//! The redirects of a Redis Cluster.

use redis::RedisError;

use super::address::ServerAddress;

/// A cluster node's answer that another node has the key's slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) to: ServerAddress,
    /// The slot is still moving there (`ASK`): the command must be preceded by `ASKING`.
    pub(crate) is_asking: bool,
}

impl Redirect {
    /// Parses an error of the server that was `asked`: the code `MOVED` or `ASK`, and the detail `slot host:port`.
    pub(crate) fn parse(code: &str, detail: &str, asked: &ServerAddress) -> Option<Self> {
        let is_asking = match code {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let to = detail.split(' ').nth(1)?;
        Some(Self { to: ServerAddress::parse(to, asked)?, is_asking })
    }

    /// Returns the redirect in an error of the redis crate.
    pub(crate) fn of_error(error: &RedisError, asked: &ServerAddress) -> Option<Self> {
        Self::parse(error.code()?, error.detail()?, asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_parsed() {
        let asked = ServerAddress::tcp("asked", 1);
        let parse = |code, detail| Redirect::parse(code, detail, &asked);
        let to = |host| ServerAddress::tcp(host, 7000);
        let moved = Redirect { to: to("10.0.0.1"), is_asking: false };
        assert_eq!(parse("MOVED", "3999 10.0.0.1:7000"), Some(moved));
        assert_eq!(parse("ASK", "3999 :7000"), Some(Redirect { to: to("asked"), is_asking: true }));
        for (code, detail) in [
            ("", ""),
            ("MOVED", ""),
            ("MOVED", "1"),
            ("MOVED", "1 x"),
            ("TRYAGAIN", "1 a:1"),
            ("ERR", "MOVED 1 a:1"),
        ] {
            assert_eq!(parse(code, detail), None, "{code} {detail}");
        }
    }
}
