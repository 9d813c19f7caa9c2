//! The command line and its help.

use super::{ClientVerb, Invocation, ServerVerb, command};
use crate::config::setting::Exposure;
use crate::config::settings::SETTINGS;
use crate::config::tests::support::{mistakes, run};

#[test]
fn settings_may_be_before_and_after_a_command_of_the_server() {
    for args in [["--lease=3s", "healthcheck"], ["healthcheck", "--lease=3s"]] {
        let read = run(&args, &[], &[]);
        assert!(
            matches!(&read, Ok(Invocation::Server(ServerVerb::Healthcheck { pid: None }, loaded)) if loaded.config.lease_ms == 3_000)
        );
    }
    assert!(matches!(run(&["check-config", "--lease=x"], &[], &[]), Err(error) if error.mistakes.len() == 1));
    let told = mistakes(&["--lease=1s", "serve", "--lease=2s"], &[], &[]);
    assert_eq!(told, "--lease (command line): is given before the command and after it: keep one");
    // All mistakes of a server's settings are reported, also beside an unknown flag of its command.
    let told = mistakes(&["--lease=x", "check-config", "--bogus", "--listen=y"], &[], &[]);
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn a_command_takes_its_own_flags_only() {
    // The first key is made before there are any settings.
    let env = [("DOORWARD_REDIS_URL", "redis://a"), ("DOORWARD_BOGUS", "x")];
    let read = run(&["hash-key"], &env, &[]);
    assert!(
        matches!(&read, Ok(Invocation::Client(verb)) if matches!(**verb, ClientVerb::HashKey)),
        "{read:?}"
    );
    let told = mistakes(&["hash-key", "--lease=x"], &env, &[]);
    assert_eq!(told, "--lease (command line): is not a flag here; `doorward serve` has it");
    let told = mistakes(&["--admin-url=http://a", "token", "show", "AAAAAAAAAAAAAAAA"], &[], &[]);
    assert_eq!(told, "--admin-url (command line): is not a flag here; `doorward token` has it");
    let told = mistakes(&["--json", "stats"], &[], &[]);
    assert_eq!(told, "--json (command line): is not a flag here; `doorward stats` has it");
    let told = mistakes(&["events", "--include-revoked"], &env, &[]);
    assert_eq!(told, "--include-revoked (command line): is not a flag here; `doorward user tokens` has it");
    let told = mistakes(&["--lease=x", "--token-keys=hunter2", "hash-key"], &env, &[]);
    assert!(told.starts_with("--lease (command line): is a setting of the server"), "{told}");
    assert!(told.lines().count() == 2 && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_mistake_in_a_command_names_what_it_lacks() {
    let secret = &*format!("dw_{}", "hunter2-".repeat(6));
    for (args, expected) in [
        (&["token"][..], "doorward (command line): lacks a command: issue, show, change, revoke, rotate"),
        (
            &["token", "isue"],
            "doorward (command line): has an argument that is neither a flag nor a command (did you mean issue?)",
        ),
        (&["token", "issue"], "doorward (command line): lacks --user <USER>, --ip <IP>"),
        (&["token", "show"], "doorward (command line): lacks <ID>"),
        (&["token", "show", secret], "ID (command line): is a token string, which is a secret"),
        (&["token", "show", "hunter2"], "ID (command line): must be a token id of 16 characters"),
        (&["token", "show", "AAAAAAAAAAAAAAAA", "hunter2"], "doorward (command line): has an argument"),
        (&["user", "tokens", "."], "USER (command line): must be neither"),
        (&["user", "tokens", "a", "--limit=0"], "--limit (command line): must be a whole number from 1 on"),
        (&["token", "issue", "--user=a", "--ip=hunter2"], "--ip (command line): must be one IP address"),
        (&["events", "--type=hunter2"], "--type (command line): is not one of token.issued, "),
        (&["completions", "hunter2"], "SHELL (command line): is not one of bash, zsh, fish"),
        (&["new-key", "--name=x"], "doorward (command line): lacks --scopes"),
    ] {
        let told = mistakes(args, &[("DOORWARD_BOGUS", "1")], &[]);
        assert!(told.starts_with(expected) && !told.contains("hunter2"), "{args:?}\n{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    for id in ["-AAAAAAAAAAAAAAA", "--AAAAAAAAAAAAAA", "-hAAAAAAAAAAAAAA"] {
        let read = run(&["token", "show", id, "--json"], &[], &[]);
        assert!(
            matches!(&read, Ok(Invocation::Client(verb)) if matches!(**verb, ClientVerb::Token(_))),
            "{read:?}"
        );
    }
}

#[test]
fn an_invalid_command_line_is_a_mistake_and_does_not_repeat_a_stray_argument() {
    for (args, name) in [
        (vec!["--bogus"], "--bogus (command line): is not a flag"),
        (vec!["--bogus=hunter2"], "--bogus (command line): is not a flag"),
        (vec!["--lese=1s"], "--lese (command line): is not a flag (did you mean --lease?)"),
        (vec!["-xhunter2"], "-x (command line): is not a flag"),
        (vec!["hunter2"], "doorward (command line): has an argument"),
        (vec!["hash-key", "hunter2"], "doorward (command line): has an argument"),
        (vec!["--lease"], "--lease (command line): a value is required"),
        (
            vec!["--lease=1s", "--lease=2s"],
            "--lease (command line): the argument '--lease <DURATION>' cannot",
        ),
        (
            vec!["serv"],
            "doorward (command line): has an argument that is neither a flag nor a command (did you mean serve?)",
        ),
        (vec!["help", "hunter2"], "doorward (command line): has an argument"),
    ] {
        let told = mistakes(&args, &[], &[]);
        assert!(told.starts_with(name) && !told.contains("hunter2"), "{args:?}\n{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    for (args, hint) in [
        (["hash-key", "hunter2"], "a key is read on standard input"),
        (["help", "hunter2"], "`doorward help` lists the commands"),
    ] {
        let told = mistakes(&args, &[], &[]);
        assert!(told.ends_with(hint), "{told}");
    }
    // After a stray argument, the flags that were not parsed are not reported as missing.
    let told = mistakes(&["--redis-url=redis://a", "stray", "--api-keys=x"], &[], &[]);
    assert_eq!(told.lines().count(), 1, "{told}");
}

fn printed(args: &[&str]) -> String {
    match run(args, &[("DOORWARD_LEASE", "x")], &[]) {
        Ok(Invocation::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_long_help_names_the_variable_and_the_default_of_each_setting() {
    for args in [&["--help"][..], &["help"], &["serve", "--help"], &["help", "check-config"]] {
        let help = printed(args);
        for setting in SETTINGS {
            let flag = format!("--{} <{}>", setting.name, setting.value);
            assert_eq!(help.contains(&flag), setting.exposure != Exposure::Secret, "{flag}\n{help}");
            assert!(help.contains(&setting.variable()) && help.contains(setting.help), "{}", setting.name);
            let default = format!("[default: {}]", setting.default);
            assert!(help.contains(&default) || setting.default.is_empty(), "{default}");
        }
    }
    let help = printed(&["--help"]);
    for name in ["--config <PATH>", "serve", "check-config", "healthcheck", "hash-key", "--version"] {
        assert!(help.contains(name), "{name}\n{help}");
    }
    assert_eq!(printed(&["--version"]), format!("doorward {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_short_help_fits_a_screen() {
    let help = printed(&["-h"]);
    assert!(help.lines().count() < 50 && help.contains("--help lists all settings"), "{help}");
    assert!(help.contains("--redis-url") && !help.contains("--touch-resolution"), "{help}");
    assert!(!printed(&["hash-key", "-h"]).contains("--redis-url"));
}

#[test]
fn every_command_is_in_its_document() {
    let page = include_str!("../../../docs/cli.md");
    let rows: String = page.lines().filter(|line| line.starts_with("| `")).collect();
    for verb in command().get_subcommands() {
        assert!(rows.contains(&format!("`{}", verb.get_name())), "{}", verb.get_name());
        for nested in verb.get_subcommands() {
            assert!(rows.contains(nested.get_name()), "{} {}", verb.get_name(), nested.get_name());
        }
    }
}
