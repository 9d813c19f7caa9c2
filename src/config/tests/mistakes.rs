//! Mistakes: all at once, each with its setting, its place and its problem.

use super::support::{file_mistakes, mistakes};
use crate::config::settings::SETTINGS;

#[test]
fn all_mistakes_are_reported_at_once() {
    let told = mistakes(
        &["--config", "d.toml", "--listen", "localhost:8080", "--bogus", "1"],
        &[
            ("DOORWARD_FLUSH_INTERVAL", "abc"),
            ("DOORWARD_ADMIN_KEY", "hunter2"),
            ("DOORWARD_COOKIENAME", "x"),
            ("DOORWARD_TOKEN_KEYS_FILE", "hunter2"),
            ("HOME", "/root"),
        ],
        &[(
            "d.toml",
            "cache-entries = -1\nlisten-admin = ''\nlog-level = ['info']\nredis-url = 'hunter2'\nlease.max = '1s'",
        )],
    );
    for line in [
        "--bogus (command line): is not a flag",
        "listen (--listen): \"localhost:8080\" is neither an IP address",
        "flush-interval (DOORWARD_FLUSH_INTERVAL): \"abc\" is not a duration such as 500ms, 10s, 1h or 14d",
        "admin-key (DOORWARD_ADMIN_KEY): the value is shorter than the 32 characters",
        "DOORWARD_COOKIENAME (environment): is not a variable of Doorward (did you mean DOORWARD_COOKIE_NAME?)",
        "token-keys (DOORWARD_TOKEN_KEYS_FILE): cannot read the file it names: ",
        "cache-entries (cache-entries in d.toml): \"-1\" is not a whole number from 0 to 100000000",
        "listen-admin (d.toml): is not a setting that a file may have",
        "log-level (log-level in d.toml): is a list, but takes one value",
        "redis-url (redis-url in d.toml): the value does not start with",
        "lease (lease in d.toml): is a table, but takes a value",
    ] {
        assert!(told.lines().any(|told| told.starts_with(line)), "{line}\nis not in\n{told}");
    }
    assert_eq!(told.lines().count(), 11, "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn every_setting_is_parsed_and_reports_its_mistake() {
    // No setting accepts a control character.
    let toml: String = SETTINGS.iter().map(|setting| format!("{} = \"\\u0001\"\n", setting.name)).collect();
    let told = file_mistakes(&toml);
    for setting in SETTINGS {
        let start = format!("{0} ({0} in d.toml): ", setting.name);
        assert!(told.lines().any(|line| line.starts_with(&start)), "{start}\n{told}");
    }
    assert_eq!(told.lines().count(), SETTINGS.len(), "{told}");
}

#[test]
fn an_unknown_name_hides_no_other_mistake() {
    let names = |told: &str| {
        let names = told.lines().map(|line| line.split(' ').next().unwrap().to_owned());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    };
    let file = [("d.toml", "colour = 'red'\nlease = 'fast'\nredis-url = 'redis://a'")];
    let told = mistakes(&["--config=d.toml"], &[("DOORWARD_BOGUS", "1")], &file);
    assert_eq!(names(&told), ["DOORWARD_BOGUS", "admin-key", "colour", "lease"], "{told}");
    for bogus in [vec!["--bogus"], vec!["--bogus", "1"], vec!["--bogus=1"]] {
        let args =
            [&["--redis-url=redis://a"], &bogus[..], &["--lease", "x", "--other=1", "--bogus"]].concat();
        let told = mistakes(&args, &[], &[]);
        assert_eq!(names(&told), ["--bogus", "--bogus", "--other", "admin-key", "lease"], "{told}");
    }
    assert_eq!(names(&mistakes(&["--bogus", "--help"], &[], &[])), ["--bogus"]);
    // A broken file may contain the API key.
    let told = mistakes(&["--config=d.toml", "--redis-url=redis://a"], &[], &[("d.toml", "lease = ")]);
    assert_eq!(names(&told), ["config"], "{told}");
}

#[test]
fn long_values_are_cut_and_control_characters_escaped() {
    let told = mistakes(&[&format!("--cookie-name=\u{1b}[2J{}", "é".repeat(500))], &[], &[]);
    assert!(told.len() < 400 && told.contains("\\u{1b}[2J") && told.contains('…'), "{told}");
}

/// People write a secret where its file belongs.
#[test]
fn a_mistake_in_a_table_names_the_table_without_its_values() {
    let toml = "[foreign.old]\nscheme = 'django-auth-token'\nsecret = 'hunter2'\n\
                [further-cookies.sid]\ndecoding = 'express'\nsecret = 'hunter2'";
    let told = file_mistakes(toml);
    for line in [
        "foreign (foreign in d.toml): the value has a mistake in its form 1: in old, its secret is none of",
        "further-cookies (further-cookies in d.toml): the value has a mistake in its cookie 1: in sid, its secret is",
    ] {
        assert!(told.lines().any(|told| told.starts_with(line)), "{line}\nis not in\n{told}");
    }
    let of_variables = mistakes(&[], &[("DOORWARD_FOREIGN", "old:scheme=drf+secret=hunter2")], &[]);
    assert!(!told.contains("hunter2") && !of_variables.contains("hunter2"), "{told}\n{of_variables}");
}
