//! The extractor of credentials reads the same from hyper's headers as from the fast path's, under any settings, and
//! agrees with a second reading of the rules.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use doorward::internals::cli::command_line::{Invocation, read_with};
use doorward::internals::config::Config;
use doorward::internals::model::token::Transport;
use doorward::internals::request::credentials::{Credentials, extract};
use doorward::internals::request::places::CredentialPlaces;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

const SECRET: &str = "keyboard cat";
/// Settings, from the default ones to all places at once.
const SETTINGS: [&[(&str, &str)]; 4] = [
    &[],
    &[("DOORWARD_HEADER_NAME", "X-Token"), ("DOORWARD_HEADER_SCHEMES", "none")],
    &[(
        "DOORWARD_FURTHER_COOKIES",
        "p:decoding=percent,b:decoding=base64,e:decoding=express+secret-file=secret",
    )],
    &[
        ("DOORWARD_HEADER_SCHEMES", "Bearer,Token,none"),
        ("DOORWARD_FURTHER_COOKIES", "p:decoding=percent,plain"),
        (
            "DOORWARD_FOREIGN",
            "a:scheme=drf+cookie=f+header-scheme=Token,b:scheme=knox+cookie=f+cookie=doorward",
        ),
    ],
];

/// Checks the bytes as header lines, each `NAME:VALUE`.
pub fn check(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    let lines: Vec<_> = lines.collect();
    let mut map = HeaderMap::new();
    for (name, value) in &lines {
        map.append(name, value.clone());
    }
    let parsed: Vec<_> = lines
        .iter()
        .map(|(name, value)| httparse::Header { name: name.as_str(), value: value.as_bytes() })
        .collect();
    for (config, places) in all_places() {
        let found = extract(&map, places);
        assert_eq!(found, extract(&parsed[..], places));
        check_rules(config, &map, &found);
    }
}

/// Checks the rules that hold for every request.
fn check_rules(config: &Config, headers: &HeaderMap, found: &Credentials<'_>) {
    let lines: Vec<_> = headers.get_all(&config.header_name.0).iter().collect();
    if lines.len() > 1 {
        assert!(matches!(found, Credentials::Invalid(Transport::Header)), "{found:?}");
    }
    match found {
        Credentials::Token(token, Transport::Header) => {
            let [line] = lines[..] else { panic!("{lines:?}") };
            assert!(line.as_bytes().ends_with(&token.bytes), "{found:?}");
        }
        Credentials::Token(token, Transport::Cookie) => assert!(!token.bytes.is_empty(), "{found:?}"),
        Credentials::Invalid(Transport::Header) => assert!(lines.len() > 1, "{found:?}"),
        Credentials::Invalid(Transport::Cookie) => assert!(headers.contains_key("cookie"), "{found:?}"),
        Credentials::Absent => {}
    }
    if config.foreign.is_empty()
        && let Credentials::Token(token, _) = found
    {
        assert!(token.forms.is_empty(), "{found:?}");
    }
}

fn all_places() -> &'static [(Config, CredentialPlaces)] {
    static PLACES: OnceLock<Vec<(Config, CredentialPlaces)>> = OnceLock::new();
    PLACES.get_or_init(|| SETTINGS.iter().map(|settings| places(settings)).collect())
}

fn places(settings: &[(&str, &str)]) -> (Config, CredentialPlaces) {
    let read_file = |path: &Path| match path.to_str() {
        Some("secret") => Ok(SECRET.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let arguments = ["doorward", "check-config"].map(OsString::from);
    let variables = settings.iter().map(|(name, value)| (name.into(), value.into()));
    match read_with(arguments, variables, &read_file) {
        Ok(Invocation::Server(_, loaded)) => {
            let places = CredentialPlaces::of(&loaded.config);
            (loaded.config, places)
        }
        other => panic!("{:?}", other.err()),
    }
}
