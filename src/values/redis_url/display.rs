//! Shows a URL of Redis in full, without its password.

use std::fmt;

use super::percent::{encode, encode_path};
use super::url::{RedisDeployment, RedisUrl};
use crate::values::host_port::HostPort;

/// Shows the URL with `***` for the password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.username.as_deref().map(encode);
        let login = match (&user, &self.password) {
            (user, Some(_)) => format!("{}:***@", user.as_deref().unwrap_or_default()),
            (_, None) => String::new(),
        };
        let list = |hosts: &[HostPort]| hosts.iter().map(HostPort::to_string).collect::<Vec<_>>().join(",");
        let db = self.db;
        match &self.deployment {
            RedisDeployment::Standalone { server, tls } => {
                write!(f, "redis{}://{login}{server}/{db}", if *tls { "s" } else { "" })
            }
            RedisDeployment::Unix { path } => {
                let path = path.to_string_lossy();
                write!(f, "redis+unix://{}?db={db}", encode_path(&path))?;
                if let Some(user) = user {
                    write!(f, "&username={user}")?;
                }
                f.write_str(if self.password.is_some() { "&password=***" } else { "" })
            }
            RedisDeployment::Cluster { servers } => write!(f, "redis+cluster://{login}{}/", list(servers)),
            RedisDeployment::Sentinel { sentinels, master } => {
                write!(f, "redis+sentinel://{login}{}/{}/{db}", list(sentinels), encode(master))
            }
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}
