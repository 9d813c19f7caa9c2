//! Lists: in variables, in the TOML file, and in separate files as people and secret managers write them.

use super::support::{KEY, config, file_config, mistakes};
use crate::config::parse::api_keys::{api_keys as parse_api_keys, token_keys as parse_token_keys};
use crate::config::parse::origins::{origins, trusted_proxies};
use crate::config::parse::route_checks::route_checks;
use crate::values::{Origin, SecretString};

const OTHER: &str = "hunter3-hunter3-hunter3-hunter3-hunter3";

fn token_keys(file: &str) -> Vec<SecretString> {
    config(&[], &[("DOORWARD_TOKEN_KEYS_FILE", "keys")], &[("keys", file)]).token_keys
}

#[test]
fn items_are_separated_by_lines_or_commas() {
    let expected = [SecretString::new(KEY), SecretString::new(OTHER)];
    for file in [
        format!("{KEY},{OTHER}"),
        format!("{KEY}\n{OTHER}\n"),
        format!("\u{feff}{KEY}\r\n\r\n{OTHER}\r\n"),
        format!("# signs, since May\n{KEY}\n# old, until June\n  {OTHER} # then gone\n\n"),
        format!("{KEY},\n{OTHER},\n# end"),
    ] {
        assert_eq!(token_keys(&file), expected, "{file}");
    }
    let variable = format!("{KEY}\n{OTHER}");
    assert_eq!(config(&[], &[("DOORWARD_TOKEN_KEYS", &variable)], &[]).token_keys, expected);
    let toml = format!("token-keys = '''\n{KEY} # signs\n{OTHER}\n'''");
    assert_eq!(file_config(&toml).token_keys, expected);
    let (hash, api_keys) = ("0".repeat(64), "DOORWARD_API_KEYS_FILE");
    let file = format!("# callers\nci:tokens:{hash}\nops:all:1{} # ours\n", &hash[1..]);
    assert_eq!(config(&[], &[(api_keys, "keys")], &[("keys", &file)]).api_keys.len(), 2);
}

#[test]
fn a_mistake_in_a_file_names_the_number_and_not_the_text() {
    for (file, problem) in [
        (format!("{KEY}\n{KEY} {OTHER}\n"), "in its key 2: it has white space"),
        (format!("{KEY}\n# a comment\nhunter2\n"), "in its key 2: it is not 32 to 1024 characters long"),
        (format!("{KEY},,{OTHER}"), "in its key 2"),
        (String::new(), "the file it names is empty"),
        ("\u{feff}\r\n".into(), "the file it names is empty"),
        ("# hunter2\n\n# none yet".into(), "the file it names has only comments in it"),
    ] {
        let told = mistakes(&[], &[("DOORWARD_TOKEN_KEYS_FILE", "keys")], &[("keys", &file)]);
        assert!(told.contains(problem) && !told.contains("hunter"), "{file:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let told = mistakes(
        &[],
        &[("DOORWARD_API_KEYS_FILE", "keys")],
        &[("keys", &format!("ci:all:{0}\nops:all:{0} x:all:{0}", "0".repeat(64)))],
    );
    assert!(told.contains("key 2") && told.contains("a line break missing"), "{told}");
}

#[test]
fn every_list_accepts_lines_and_comments() {
    let (a, b) = ("a".repeat(32), "b".repeat(32));
    let keys = parse_token_keys(&format!("# signs:\n{a}\n\n{b} # until May, then gone\n")).unwrap();
    assert_eq!(keys.iter().map(|key| key.expose()).collect::<Vec<_>>(), [a, b]);
    let (hash, other) = ("0".repeat(64), "1".repeat(64));
    let keys = parse_api_keys(&format!("ci:tokens:{hash}\r\n# ops, too\r\nops:all:{other},\r\n")).unwrap();
    assert_eq!(keys.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["ci", "ops"]);
    let expected = ["https://a", "https://b"].map(|text| Origin::parse(text).unwrap());
    assert_eq!(origins("https://a\nhttps://b # b").unwrap(), expected);
    assert_eq!(trusted_proxies("10.0.0.0/8 # LAN\nunix\n::1").unwrap().networks.len(), 2);
    assert_eq!(route_checks("a\nb:slug=x # b").unwrap().len(), 2);
}

#[test]
fn trusted_proxies_are_networks_and_addresses() {
    let proxies = config(&["--trusted-proxies", "10.0.0.0/8, ::1,unix"], &[], &[]).trusted_proxies;
    let contains = |address: &str| proxies.contains(address.parse().unwrap());
    assert!(
        proxies.unix
            && contains("10.255.0.1")
            && contains("::1")
            && !contains("::2")
            && !contains("11.0.0.1")
    );
    let mapped = "::ffff:127.0.0.1, ::ffff:10.1.0.0/112";
    let mapped = config(&["--trusted-proxies", mapped], &[], &[]).trusted_proxies;
    let contains = |address: &str| mapped.contains(address.parse().unwrap());
    assert!(contains("127.0.0.1") && contains("10.1.255.255"));
    assert!(!contains("127.0.0.2") && !contains("10.2.0.0") && !contains("192.0.2.1"));
    for bad in ["::ffff:10.0.0.0/8", "::ffff:0:0/90"] {
        let told = mistakes(&["--trusted-proxies", &format!("::1,{bad}")], &[], &[]);
        assert!(told.contains("in its network 2: it maps IPv4 with a prefix below 96"), "{told}");
    }
    for bad in ["10.0.0.0/33", "localhost", "10.0.0", "unix:/a"] {
        let told = mistakes(&["--trusted-proxies", &format!("::1,{bad}")], &[], &[]);
        assert!(told.contains("in its network 2: it is neither a network"), "{told}");
    }
}
