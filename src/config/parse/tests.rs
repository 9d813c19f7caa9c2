use proptest::prelude::*;

use super::*;

const ANY_MS: RangeInclusive<u64> = 0..=u64::MAX;

#[test]
fn every_form_of_duration_is_read() {
    for (text, ms) in [
        ("0", 0),
        ("0s", 0),
        ("500ms", 500),
        ("10s", 10_000),
        ("007s", 7_000),
        ("3m", 180_000),
        ("1h", 3_600_000),
        ("14d", 1_209_600_000),
        ("18446744073709551615ms", u64::MAX),
    ] {
        assert_eq!(duration_ms(ANY_MS)(text), Ok(ms), "{text}");
    }
    for text in ["", "5", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1S", "1w", "1h30m", "1m ", "0x1s", "１s"]
    {
        assert!(duration_ms(ANY_MS)(text).unwrap_err().contains("is not a duration such as"), "{text}");
    }
    for text in ["18446744073709551616ms", "18446744073709551615s", "999999999999999999999999d"] {
        assert!(duration_ms(ANY_MS)(text).is_err(), "{text}");
    }
}

#[test]
fn a_duration_out_of_its_range_is_told_the_range() {
    let range = 10..=MINUTE_MS;
    assert_eq!(duration_ms(range.clone())("1m"), Ok(60_000));
    assert_eq!(duration_ms(range.clone())("61s").unwrap_err(), "is not from 10ms to 1m");
    assert_eq!(duration_ms(range)("0").unwrap_err(), "is not from 10ms to 1m");
    assert_eq!(duration_ms(0..=90 * MINUTE_MS)("1d").unwrap_err(), "is not from 0 to 90m");
}

#[test]
fn numbers_and_booleans() {
    assert_eq!(number(0..=256_usize)("256"), Ok(256));
    for text in ["", "257", "-1", "+1", "1.0", "1_0", " 1", "0x1", "99999999999999999999999"] {
        assert_eq!(number(0..=256_usize)(text).unwrap_err(), "is not a whole number from 0 to 256");
    }
    assert_eq!((boolean("true"), boolean("false")), (Ok(true), Ok(false)));
    assert!(boolean("yes").is_err() && boolean("").is_err());
}

#[test]
fn a_renewal_step_is_a_share_or_a_duration() {
    for (text, percent) in [
        ("10%", 10),
        ("0%", 0),
        ("50%", 50),
        ("0.1", 10),
        ("0.05", 5),
        ("0.50", 50),
        ("0.0", 0),
        ("0.12", 12),
    ] {
        assert_eq!(renewal_step(text), Ok(RenewalStep::Share { percent }), "{text}");
    }
    assert_eq!(renewal_step("30s"), Ok(RenewalStep::Fixed { ms: 30_000 }));
    assert_eq!(renewal_step("0"), Ok(RenewalStep::Fixed { ms: 0 }));
    for text in
        ["", "51%", "0.51", "1%%", "%", "-1%", "0.", "0.125", "0.1s", "1", "1.0", ".1", "300%", "0.-1"]
    {
        assert!(renewal_step(text).is_err(), "{text}");
    }
}

#[test]
fn listeners_are_addresses_or_paths() {
    for text in ["127.0.0.1:0", "[::1]:8080", "unix:/run/x.sock"] {
        assert_eq!(listen_addr(text).unwrap().to_string(), text);
    }
    let long = format!("unix:/{}", "x".repeat(MAX_SOCKET_PATH_BYTES));
    for text in ["", "8080", ":8080", "localhost:8080", "127.0.0.1", "unix:", "unix:x", "unix:/\0", &long] {
        assert!(listen_addr(text).is_err(), "{text}");
    }
    assert!(listen_addr("localhost:8080").unwrap_err().contains("a host name is not looked up"));
    let (a, b) = (listen_addr("[::1]:1").unwrap(), listen_addr("[::1]:0").unwrap());
    assert!(a.collides_with(&a) && !a.collides_with(&b) && !b.collides_with(&b));
}

#[test]
fn names_have_only_their_characters() {
    assert_eq!(key_prefix("dw:"), Ok("dw:".into()));
    for text in ["", "a b", "a{", "}", "*", "?", "[", "é", "\n", &"x".repeat(65)] {
        assert!(key_prefix(text).is_err(), "{text}");
    }
    assert_eq!(cookie_name("__Host-id"), Ok("__Host-id".into()));
    for text in ["", "a=b", "a;b", "a b", "é", "\"a\"", &"x".repeat(65)] {
        assert!(cookie_name(text).is_err(), "{text}");
    }
    assert_eq!(header_name(""), Ok(None));
    assert_eq!(header_name("X-A").unwrap().unwrap().as_str(), "x-a");
    for text in ["a b", "a:", "é", "\0", &"x".repeat(65)] {
        assert!(header_name(text).is_err(), "{text}");
    }
}

#[test]
fn origins_are_read_as_browsers_send_them() {
    let read = "https://App.Example.com:443, http://a:8080,http://[::1]:80,HTTP://b:443,app-x://localhost";
    let sent =
        ["https://app.example.com", "http://a:8080", "http://[::1]", "http://b:443", "app-x://localhost"];
    let shown: Vec<_> = origins(read).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(shown, sent);
    assert_eq!(origins(" "), Ok(vec![]));
    for text in [
        "null",
        "*",
        "example.com",
        "https://",
        "https://a/",
        "https://a/b",
        "https://u@a",
        "https://a:",
        "https://a:0",
        "https://a:65536",
        "https://a?b",
        "https://a,",
        "https://é",
        "://a",
        "https://:1",
    ] {
        assert!(origins(text).is_err(), "{text}");
    }
    assert!(origins("https://a,b").unwrap_err().contains("item 2"));
    assert!(origins(&["http://a"; MAX_ALLOWED_ORIGINS + 1].join(",")).is_err());
}

#[test]
fn api_keys_have_a_name_scopes_and_a_hash() {
    let key = "k".repeat(32);
    let hash = blake3::hash(key.as_bytes()).to_hex();
    let other = "0".repeat(64);
    let keys = api_keys(&format!("ci:tokens+metrics:{hash}, ops:all:{other}")).unwrap();
    assert_eq!(format!("{keys:?}"), "[ApiKey(ci:tokens+metrics:***), ApiKey(ops:all:***)]");
    assert_eq!(keys[0].hash, ApiKey::hash_of(key.as_bytes()));
    assert_eq!(admin_key(&key).unwrap().unwrap().hash, keys[0].hash);
    assert_eq!((api_keys(""), admin_key("")), (Ok(vec![]), Ok(None)));

    let long_name = "n".repeat(51);
    for (text, problem) in [
        (key.clone(), "NAME:SCOPE"),
        (format!("a:all:{hash}:x"), "NAME:SCOPE"),
        (format!("a:all:{hash},"), "key 2"),
        (format!(":all:{hash}"), "its name"),
        (format!("{long_name}:all:{hash}"), "its name"),
        (format!("a b:all:{hash}"), "key 1: it has white space"),
        (format!("a:all:{hash} b:all:{other}"), "key 1: it has white space"),
        (format!("a:all:{other}\nb:all:{hash}\tx"), "key 2: it has white space"),
        (format!("a@:all:{hash}"), "its name"),
        (format!("admin:all:{hash}"), "admin-key"),
        (format!("a::{hash}"), "its scopes"),
        (format!("a:tokens+:{hash}"), "its scopes"),
        (format!("a:tokens+all:{hash}"), "its scopes"),
        (format!("a:all:{key}"), "its hash"),
        (format!("a:all:{}", "é".repeat(32)), "its hash"),
        (format!("a:all:{hash},a:all:{other}"), "twice, again in its key 2"),
        (format!("a:all:{hash},b:all:{hash}"), "twice, again in its key 2"),
    ] {
        let error = api_keys(&text).unwrap_err();
        assert!(error.contains(problem) && !error.contains(&key), "{text}: {error}");
    }
    for bad in ["k".repeat(31), "k".repeat(257), " ".repeat(32), "é".repeat(32)] {
        assert!(admin_key(&bad).is_err(), "{bad}");
    }
}

#[test]
fn token_keys_are_a_few_long_texts() {
    let keys = token_keys(&format!("{}, {}", "a".repeat(32), "é".repeat(32))).unwrap();
    assert_eq!(keys[1].expose(), "é".repeat(32));
    assert_eq!(token_keys(""), Ok(vec![]));
    let (good, long) = ("a".repeat(32), "a".repeat(1025));
    let spaced = format!("{good} {good}");
    for (text, problem) in [
        (format!("{good},"), "key 2: it is not 32 to 1024 characters long"),
        (format!("{good}\n{}", "a".repeat(31)), "key 2: it is not 32"),
        (long, "key 1: it is not 32"),
        (format!("# keys\n{good}\n{spaced}\n"), "key 2: it has white space"),
        (format!("{good}\u{a0}{good}"), "key 1: it has white space"),
        (format!("{good}\0"), "key 1: it has white space or a control"),
        ([good.as_str(); MAX_TOKEN_KEYS + 1].join(","), "more than 8 keys"),
    ] {
        let error = token_keys(&text).unwrap_err();
        assert!(error.contains(problem) && !error.contains(&good), "{text}: {error}");
    }
}

#[test]
fn every_list_takes_lines_and_comments() {
    let (a, b) = ("a".repeat(32), "b".repeat(32));
    let keys = token_keys(&format!("# signs:\n{a}\n\n{b} # until May, then gone\n")).unwrap();
    assert_eq!(keys.iter().map(|key| key.expose()).collect::<Vec<_>>(), [a, b]);
    let (hash, other) = ("0".repeat(64), "1".repeat(64));
    let keys = api_keys(&format!("ci:tokens:{hash}\r\n# ops, too\r\nops:all:{other},\r\n")).unwrap();
    assert_eq!(keys.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["ci", "ops"]);
    let expected = ["https://a", "https://b"].map(|text| Origin::parse(text).unwrap());
    assert_eq!(origins("https://a\nhttps://b # b").unwrap(), expected);
    assert_eq!(trusted_proxies("10.0.0.0/8 # LAN\nunix\n::1").unwrap().networks.len(), 2);
    assert_eq!(crate::config::checks::checks("a\nb:slug=x # b").unwrap().len(), 2);
}

fn call_every_parser(text: &str) {
    let _ = number(0..=u64::MAX)(text);
    let _ = boolean(text);
    let _ = duration_ms(ANY_MS)(text);
    let _ = renewal_step(text);
    let _ = listen_addr(text);
    let _ = store_url(text);
    let _ = key_prefix(text);
    let _ = cookie_name(text);
    let _ = header_name(text);
    let _ = origins(text);
    let _ = admin_key(text);
    let _ = api_keys(text);
    let _ = token_keys(text);
    let _ = log_level(text);
    let _ = log_format(text);
}

proptest! {
    #[test]
    fn no_text_panics_a_parser(text in ".*") {
        call_every_parser(&text);
    }

    /// Texts close to good ones, which get further into the parsers.
    #[test]
    fn no_nearly_good_text_panics_a_parser(
        start in "(|unix:|0\\.|https?://|rediss?://|redis\\+(unix|cluster|sentinel)://|a:all:)",
        rest in "[a0-9é%@:/,\\[\\]?=&#+.\\-dms]{0,40}",
    ) {
        call_every_parser(&format!("{start}{rest}"));
    }

    #[test]
    fn a_redis_url_shows_itself_as_one_that_reads_the_same(
        url in "redis(s|\\+cluster|\\+sentinel|\\+unix)?://([a-c%2F]{0,4}:?[a-c]{0,3}@)?(/?[a-c\\[\\]:0-9]{1,4},?){1,3}(/[a-c0-9]{0,2}){0,2}",
    ) {
        if let Ok(parsed) = RedisUrl::parse(&url) {
            let again = RedisUrl::parse(&parsed.to_string());
            prop_assert!(again.is_ok_and(|again| again.topology == parsed.topology && again.db == parsed.db));
        }
    }
}
