//! From the text of a value to its type.
//!
//! Every parser takes the text and gives the value, or what is wrong as the rest of a sentence that starts
//! with the value: "is not a duration such as …". None repeats the text: it may be a secret.

#[cfg(test)]
pub mod tests;

use std::collections::HashSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use hyper::header::HeaderName;

use ipnet::{IpNet, Ipv4Net};

use super::list::items;
use crate::token_string::{MAX_TOKEN_KEYS, check_token_key};
use crate::values::{
    ApiKey, ListenAddr, LogFormat, LogLevel, Origin, OverLimit, RedisUrl, RenewalStep, SameSite, Scope,
    Scopes, SecretString, StoreUrl, TrustedProxies,
};

pub(crate) type Parsed<T> = Result<T, String>;

pub(crate) const SECOND_MS: u64 = 1_000;
pub(crate) const MINUTE_MS: u64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;
/// Largest unit first.
const UNITS: [(&str, u64); 5] =
    [("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS), ("ms", 1)];

/// The lengths an API key may have, in characters.
const API_KEY_CHARS: RangeInclusive<usize> = 32..=256;
const MAX_API_KEYS: usize = 100;
const API_KEY_NAME_CHARS: RangeInclusive<usize> = 1..=50;
/// The name that `admin-key` has.
pub(crate) const ADMIN_KEY_NAME: &str = "admin";
const KEY_PREFIX_BYTES: RangeInclusive<usize> = 1..=64;
const COOKIE_NAME_BYTES: RangeInclusive<usize> = 1..=64;
/// No DNS name is longer (RFC 1035, section 2.3.4).
const MAX_DOMAIN_BYTES: usize = 253;
/// Browsers ignore an attribute that is longer (RFC 6265bis, section 5.6).
const MAX_COOKIE_PATH_BYTES: usize = 1024;
const MAX_HEADER_NAME_BYTES: usize = 64;
const MAX_ALLOWED_ORIGINS: usize = 100;
const MAX_TRUSTED_PROXIES: usize = 100;
/// `sockaddr_un.sun_path` has 108 bytes with the closing zero on Linux (unix(7)).
const MAX_SOCKET_PATH_BYTES: usize = 107;
/// More than half of the idle time would let a token in use end.
const MAX_RENEWAL_PERCENT: u8 = 50;

pub(crate) fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// `token` of RFC 9110 section 5.6.2, which cookie names are made of (RFC 6265 section 4.1.1).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A whole number in decimal digits.
pub(crate) fn number<T: FromStr + PartialOrd + Display>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Parsed<T> {
    move |text| {
        // `parse` alone would take a leading plus.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && range.contains(number));
        number.ok_or_else(|| format!("is not a whole number from {} to {}", range.start(), range.end()))
    }
}

/// `end-oldest` or `refuse-new`.
pub(crate) fn over_limit(text: &str) -> Parsed<OverLimit> {
    match text {
        "end-oldest" => Ok(OverLimit::RevokeOldest),
        "refuse-new" => Ok(OverLimit::RefuseNew),
        _ => Err("is neither end-oldest nor refuse-new".into()),
    }
}

/// `true` or `false`.
pub(crate) fn boolean(text: &str) -> Parsed<bool> {
    text.parse().map_err(|_| "is neither true nor false".into())
}

/// A whole number and its unit, or 0 where the range has it; milliseconds.
pub(crate) fn duration_ms(range: RangeInclusive<u64>) -> impl Fn(&str) -> Parsed<u64> {
    move |text| {
        let ms = any_duration_ms(text).ok_or("is not a duration such as 500ms, 10s, 1h or 14d")?;
        if range.contains(&ms) {
            return Ok(ms);
        }
        Err(format!("is not from {} to {}", show_ms(*range.start()), show_ms(*range.end())))
    }
}

fn any_duration_ms(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, unit_ms) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

fn show_ms(ms: u64) -> String {
    match UNITS.into_iter().find(|(_, unit_ms)| ms.is_multiple_of(*unit_ms)) {
        Some((name, unit_ms)) if ms > 0 => format!("{}{name}", ms / unit_ms),
        _ => "0".into(),
    }
}

/// A share (`10%`, `0.1`) or a duration.
pub(crate) fn renewal_step(text: &str) -> Parsed<RenewalStep> {
    let percent = if let Some(percent) = text.strip_suffix('%') {
        number(0..=u8::MAX)(percent).ok()
    } else if let Some(decimals) = text.strip_prefix("0.") {
        match *decimals.trim_end_matches('0').as_bytes() {
            [] if !decimals.is_empty() => Some(0),
            [tens @ b'0'..=b'9'] => Some((tens - b'0') * 10),
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + ones - b'0'),
            _ => None,
        }
    } else {
        return match any_duration_ms(text) {
            Some(ms) => Ok(RenewalStep::Fixed { ms }),
            None => Err("is neither a share such as 10% or 0.1 nor a duration such as 30s".into()),
        };
    };
    let percent = percent.filter(|percent| *percent <= MAX_RENEWAL_PERCENT);
    let percent = percent.ok_or("is not a share of whole percents from 0% to 50%")?;
    Ok(RenewalStep::Share { percent })
}

/// `IP:PORT` or `unix:/path`.
pub(crate) fn listen_addr(text: &str) -> Parsed<ListenAddr> {
    let Some(path) = text.strip_prefix("unix:") else {
        return text.parse().map(ListenAddr::Tcp).map_err(|_| {
            "is neither an IP address with a port such as 127.0.0.1:8080 or [::1]:8080 \
             (a host name is not looked up) nor unix: and a path"
                .into()
        });
    };
    if !path.starts_with('/') || path.contains('\0') {
        return Err("has no absolute path after unix:".into());
    }
    if path.len() > MAX_SOCKET_PATH_BYTES {
        return Err(format!("has a path longer than the {MAX_SOCKET_PATH_BYTES} bytes of a unix socket"));
    }
    Ok(ListenAddr::Unix(PathBuf::from(path)))
}

/// An address to listen on, or nothing.
pub(crate) fn optional_listen_addr(text: &str) -> Parsed<Option<ListenAddr>> {
    if text.is_empty() { Ok(None) } else { listen_addr(text).map(Some) }
}

/// The permissions of a file in octal, or nothing.
pub(crate) fn file_mode(text: &str) -> Parsed<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.map(Some).ok_or_else(|| "is not three octal digits such as 660".into())
}

/// The path of a file, or nothing.
pub(crate) fn optional_path(text: &str) -> Parsed<Option<PathBuf>> {
    if text.chars().any(char::is_control) {
        return Err("is not a path: it has control characters".into());
    }
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

/// A URL of Redis, or nothing for the embedded store.
pub(crate) fn store_url(text: &str) -> Parsed<StoreUrl> {
    if text.is_empty() { Ok(StoreUrl::Memory) } else { RedisUrl::parse(text).map(StoreUrl::Redis) }
}

/// What may stand before a key: a brace would move it to another slot, and the rest are signs of a pattern.
pub(crate) fn key_prefix(text: &str) -> Parsed<String> {
    let good = |byte: u8| byte.is_ascii_graphic() && !br"{}*?[]\".contains(&byte);
    if KEY_PREFIX_BYTES.contains(&text.len()) && text.bytes().all(good) {
        return Ok(text.into());
    }
    Err(r"is not 1 to 64 visible ASCII characters without { } * ? [ ] \".into())
}

/// A cookie's name.
pub(crate) fn cookie_name(text: &str) -> Parsed<String> {
    if COOKIE_NAME_BYTES.contains(&text.len()) && text.bytes().all(is_token_byte) {
        return Ok(text.into());
    }
    Err("is not a cookie name: 1 to 64 of A-Z a-z 0-9 and !#$%&'*+-.^_`|~".into())
}

/// Which requests from other sites carry the cookie.
pub(crate) fn same_site(text: &str) -> Parsed<SameSite> {
    match text {
        "lax" => Ok(SameSite::Lax),
        "strict" => Ok(SameSite::Strict),
        "none" => Ok(SameSite::None),
        _ => Err("is none of lax, strict and none".into()),
    }
}

/// A cookie's domain, or nothing for the host that sets it.
pub(crate) fn cookie_domain(text: &str) -> Parsed<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_label = |label: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(good)
    };
    // Browsers take no cookie for an address.
    let is_name = text.split('.').all(is_label) && text.parse::<std::net::IpAddr>().is_err();
    if is_name && text.len() <= MAX_DOMAIN_BYTES {
        return Ok(Some(text.to_ascii_lowercase()));
    }
    Err("is not a domain such as example.com, without a dot before it".into())
}

/// A cookie's path.
pub(crate) fn cookie_path(text: &str) -> Parsed<String> {
    let good = |byte: u8| byte.is_ascii_graphic() && byte != b';';
    if text.starts_with('/') && text.len() <= MAX_COOKIE_PATH_BYTES && text.bytes().all(good) {
        return Ok(text.into());
    }
    Err("is not a path: / and visible ASCII characters without ;".into())
}

/// A header's name, or nothing.
pub(crate) fn header_name(text: &str) -> Parsed<Option<HeaderName>> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = HeaderName::from_str(text).ok().filter(|_| text.len() <= MAX_HEADER_NAME_BYTES);
    name.map(Some).ok_or_else(|| "is not the name of a header".into())
}

/// Origins, such as `https://app.example.com`.
pub(crate) fn origins(text: &str) -> Parsed<Vec<Origin>> {
    let origins = items(text);
    if origins.len() > MAX_ALLOWED_ORIGINS {
        return Err(format!("has more than {MAX_ALLOWED_ORIGINS} origins"));
    }
    let origins = origins.into_iter().enumerate();
    origins
        .map(|(at, text)| {
            Origin::parse(text).ok_or_else(|| {
                format!("has no origin such as https://app.example.com as its item {}", at + 1)
            })
        })
        .collect()
}

/// Networks, addresses and the word `unix`.
pub(crate) fn trusted_proxies(text: &str) -> Parsed<TrustedProxies> {
    let items = items(text);
    if items.len() > MAX_TRUSTED_PROXIES {
        return Err(format!("has more than {MAX_TRUSTED_PROXIES} networks"));
    }
    let mut proxies = TrustedProxies::default();
    for (at, item) in items.into_iter().enumerate() {
        if item == "unix" {
            proxies.unix = true;
            continue;
        }
        let network = network(item).map_err(|problem| format!("has an item {} that {problem}", at + 1))?;
        proxies.networks.push(network);
    }
    Ok(proxies)
}

/// A network or an address. One of mapped addresses (`::ffff:10.0.0.0/104`) becomes the IPv4 network that it stands for,
/// because peers are compared by their IPv4 address; no peer would match a prefix as short as in `::ffff:10.0.0.0/8`.
fn network(item: &str) -> Result<IpNet, &'static str> {
    const NO_NETWORK: &str = "is neither a network such as 10.0.0.0/8, nor an address, nor the word unix";
    const TOO_SHORT: &str = "maps IPv4 with a prefix below 96: write the IPv4 network instead";
    let network = item.parse().or_else(|_| item.parse().map(|address: IpAddr| address.into()));
    let network: IpNet = network.map_err(|_| NO_NETWORK)?;
    let (IpNet::V6(_), IpAddr::V4(address)) = (network, network.addr().to_canonical()) else {
        return Ok(network);
    };
    let prefix = network.prefix_len().checked_sub(96).ok_or(TOO_SHORT)?;
    Ipv4Net::new(address, prefix).map(IpNet::V4).map_err(|_| TOO_SHORT)
}

/// Whether a text can be an API key.
pub(crate) fn api_key_text(text: &str) -> Parsed<&str> {
    if text.len() < *API_KEY_CHARS.start() {
        return Err("is shorter than the 32 characters of an API key".into());
    }
    if text.len() > *API_KEY_CHARS.end() || !is_word(text) {
        return Err("is not an API key: 32 to 256 of A-Z a-z 0-9 _ -".into());
    }
    Ok(text)
}

/// The key with all scopes, or nothing.
pub(crate) fn admin_key(text: &str) -> Parsed<Option<ApiKey>> {
    if text.is_empty() {
        return Ok(None);
    }
    let hash = ApiKey::hash_of(api_key_text(text)?.as_bytes());
    Ok(Some(ApiKey { name: ADMIN_KEY_NAME.into(), scopes: Scopes::all(), hash }))
}

/// Items of the form `NAME:SCOPE+SCOPE:HASH`.
pub(crate) fn api_keys(text: &str) -> Parsed<Vec<ApiKey>> {
    let keys = items(text);
    if keys.len() > MAX_API_KEYS {
        return Err(format!("has more than {MAX_API_KEYS} keys"));
    }
    let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
    let mut parsed = Vec::with_capacity(keys.len());
    for (at, text) in keys.into_iter().enumerate() {
        // Told by its number: someone may have written the key itself in any of its places.
        let key =
            api_key(text).map_err(|problem| format!("has a mistake in its key {}: {problem}", at + 1))?;
        if !names.insert(key.name.clone()) || !hashes.insert(key.hash) {
            return Err(format!("has a name or a hash twice, again in its key {}", at + 1));
        }
        parsed.push(key);
    }
    Ok(parsed)
}

fn api_key(text: &str) -> Parsed<ApiKey> {
    if text.contains(char::is_whitespace) {
        return Err("it has white space in it: is a comma or a line break missing?".into());
    }
    let [name, scopes, hash] = text.split(':').collect::<Vec<_>>()[..] else {
        return Err("it is not NAME:SCOPE+SCOPE:HASH".into());
    };
    if !API_KEY_NAME_CHARS.contains(&name.len()) || !is_word(name) {
        return Err("its name is not 1 to 50 of A-Z a-z 0-9 _ -".into());
    }
    if name == ADMIN_KEY_NAME {
        return Err(format!("the name {ADMIN_KEY_NAME} is that of admin-key"));
    }
    let scopes = if scopes == "all" {
        Some(Scopes::all())
    } else {
        scopes.split('+').map(|text| Scope::ALL.into_iter().find(|scope| scope.name() == text)).collect()
    };
    let scopes = scopes
        .ok_or("its scopes are not all, or some of tokens+takeovers+devices+introspect+metrics+events")?;
    let hash = blake3::Hash::from_hex(hash)
        .map_err(|_| "its hash is not the 64 hex digits that `doorward hash-key` prints")?;
    Ok(ApiKey { name: name.into(), scopes, hash: *hash.as_bytes() })
}

/// Keys of the check tag.
pub(crate) fn token_keys(text: &str) -> Parsed<Vec<SecretString>> {
    let keys = items(text);
    if keys.len() > MAX_TOKEN_KEYS {
        return Err(format!("has more than {MAX_TOKEN_KEYS} keys"));
    }
    let key = |(at, key)| match check_token_key(key) {
        Ok(()) => Ok(SecretString::new(key)),
        // Told by its number: it is a secret.
        Err(problem) => Err(format!("has a mistake in its key {}: it {problem}", at + 1)),
    };
    keys.into_iter().enumerate().map(key).collect()
}

/// A level of the log.
pub(crate) fn log_level(text: &str) -> Parsed<LogLevel> {
    match text {
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        _ => Err("is none of error, warn, info, debug and trace".into()),
    }
}

/// A form of the log.
pub(crate) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither text nor json".into()),
    }
}
