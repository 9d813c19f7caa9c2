//! The types of single settings.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::redis_url::RedisUrl;

/// A text that no `Debug` shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretString(String);

impl SecretString {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: not for logs or errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a plane listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// An IP address and a port; port 0 picks a free one.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl ListenAddr {
    /// Whether two listeners cannot both have this address.
    pub(super) fn collides_with(&self, other: &Self) -> bool {
        self == other && !matches!(self, Self::Tcp(address) if address.port() == 0)
    }
}

/// A free port of the loopback.
impl Default for ListenAddr {
    fn default() -> Self {
        Self::Tcp((Ipv4Addr::LOCALHOST, 0).into())
    }
}

/// As the setting is written.
impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The files of a plane's TLS, all in PEM. The certificate and the key are both there or neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPaths {
    /// The certificate, and those up to the authority.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Only clients with a certificate of these authorities come in; all when there is none.
    pub client_ca: Option<PathBuf>,
}

/// Whose word counts on where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Whoever connects from one of these.
    pub networks: Vec<IpNet>,
    /// Whoever connects to a unix socket.
    pub unix: bool,
}

impl TrustedProxies {
    /// Whether they have this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The cookie that may carry a token, and the attributes it is set with (RFC 6265bis, section 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Browsers send it over HTTPS only.
    pub secure: bool,
    /// Scripts of a page cannot read it.
    pub http_only: bool,
    /// Which requests from other sites carry it.
    pub same_site: SameSite,
    /// For this domain with all its hosts; `None`: for the one host that sets it.
    pub domain: Option<String>,
    /// For this path and all below it.
    pub path: String,
}

/// Which requests from other sites carry a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Only links that are followed.
    #[default]
    Lax,
    /// None.
    Strict,
    /// All.
    None,
}

/// As the attribute is written.
impl fmt::Display for SameSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        })
    }
}

/// Which store holds the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded one: `redis-url` is not set.
    #[default]
    Memory,
    /// Redis.
    Redis(RedisUrl),
}

/// How much of its idle time a token uses up before an access renews it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalStep {
    /// A share of the idle time, 0 to 50 percent.
    Share {
        /// The share.
        percent: u8,
    },
    /// The same for every token.
    Fixed {
        /// Milliseconds.
        ms: u64,
    },
}

impl RenewalStep {
    /// The step in milliseconds of a token that lives `idle_ms` without access; never more than half of that,
    /// or a token in use could end.
    pub fn step_ms(self, idle_ms: u64) -> u64 {
        let step_ms = match self {
            // Divided first, so that nothing overflows; the rest makes up for what that cuts off.
            Self::Share { percent } => {
                let percent = u64::from(percent.min(100));
                idle_ms / 100 * percent + idle_ms % 100 * percent / 100
            }
            Self::Fixed { ms } => ms,
        };
        step_ms.min(idle_ms / 2)
    }
}

/// Every access renews.
impl Default for RenewalStep {
    fn default() -> Self {
        Self::Fixed { ms: 0 }
    }
}

/// A part of the admin plane that an API key may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// Tokens, and what relates them to users and objects.
    Tokens = 1,
    /// Takeovers.
    Takeovers = 2,
    /// Device keys.
    Devices = 4,
    /// Validation and introspection.
    Introspect = 8,
    /// The metrics.
    Metrics = 16,
    /// What happened: histories and the feed.
    Events = 32,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Tokens, Self::Takeovers, Self::Devices, Self::Introspect, Self::Metrics, Self::Events];

    /// Its name in settings and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Takeovers => "takeovers",
            Self::Devices => "devices",
            Self::Introspect => "introspect",
            Self::Metrics => "metrics",
            Self::Events => "events",
        }
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether a scope is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope as u8))
    }
}

/// As the setting is written: `tokens+devices`, or `all`.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        let names: Vec<_> =
            Scope::ALL.into_iter().filter(|scope| self.contains(*scope)).map(Scope::name).collect();
        f.write_str(&names.join("+"))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

/// An API key of the admin plane, as far as it needs to be known here: never the key itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key in logs and metrics.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// BLAKE3 of the key; compare in constant time.
    pub hash: [u8; 32],
}

impl ApiKey {
    /// BLAKE3 of a key. Keys are long and random, so a plain hash is as hard to turn back as a slow one.
    pub fn hash_of(key: &[u8]) -> [u8; 32] {
        *blake3::hash(key).as_bytes()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}:{}:***)", self.name, self.scopes)
    }
}

/// The least severe log lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What stops or breaks something.
    Error,
    /// What needs a look.
    Warn,
    /// What a running server has to say.
    #[default]
    Info,
    /// For finding a fault.
    Debug,
    /// Everything.
    Trace,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_step_is_never_more_than_half_of_the_idle_time() {
        assert_eq!(RenewalStep::Share { percent: 10 }.step_ms(3_600_000), 360_000);
        assert_eq!(RenewalStep::Share { percent: 10 }.step_ms(15), 1);
        assert_eq!(RenewalStep::Share { percent: 50 }.step_ms(u64::MAX), u64::MAX / 2);
        assert_eq!(RenewalStep::Share { percent: 255 }.step_ms(10), 5);
        assert_eq!(RenewalStep::Fixed { ms: 30_000 }.step_ms(3_600_000), 30_000);
        assert_eq!(RenewalStep::Fixed { ms: 30_000 }.step_ms(1_000), 500);
        assert_eq!(RenewalStep::Fixed { ms: 0 }.step_ms(1_000), 0);
    }

    #[test]
    fn scopes_are_a_set() {
        let scopes: Scopes = [Scope::Devices, Scope::Tokens, Scope::Tokens].into_iter().collect();
        assert_eq!(scopes.to_string(), "tokens+devices");
        assert!(scopes.contains(Scope::Devices) && !scopes.contains(Scope::Metrics));
        assert_eq!(Scopes::all().to_string(), "all");
        assert_eq!(Scopes::default().to_string(), "");
    }
}
