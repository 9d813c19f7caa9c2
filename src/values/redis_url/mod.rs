//! The URL of Redis: one server, a unix socket, a Cluster, or a master that Sentinels name.
//!
//! ```text
//! redis://[user:password@]host[:port][/db]        rediss:// is the same over TLS
//! redis+unix:///path[?db=1&username=u&password=p]
//! redis+cluster://[user:password@]host[:port],host[:port]…[/]
//! redis+sentinel://[user:password@]host[:port],host[:port]…/master-name[/db]
//! ```
//!
//! User, password, path and master name are percent-encoded UTF-8 (RFC 3986). An IPv6 address is in brackets. With
//! Sentinel, user and password belong to the Redis servers.

pub mod display;
pub mod parse;
pub mod percent;
pub mod url;

pub use self::url::{RedisDeployment, RedisUrl};
