//! The command line and its help.

use super::support::{mistakes, run};
use crate::config::load::Command;
use crate::config::setting::Exposure;
use crate::config::settings::SETTINGS;

#[test]
fn flags_may_be_before_and_after_a_command() {
    for args in [["--lease=3s", "healthcheck"], ["healthcheck", "--lease=3s"]] {
        assert!(matches!(run(&args, &[], &[]), Ok(Command::Healthcheck(config)) if config.lease_ms == 3_000));
    }
    assert!(matches!(run(&["check-config", "--lease=x"], &[], &[]), Err(error) if error.mistakes.len() == 1));
    // The first key is made before there are any settings.
    let env = [("DOORWARD_REDIS_URL", "redis://a")];
    assert!(matches!(run(&["hash-key"], &env, &[]), Ok(Command::HashKey)));
    assert!(matches!(run(&["hash-key", "--lease=x"], &env, &[]), Ok(Command::HashKey)));
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
        (vec!["help"], "doorward (command line): has an argument"),
    ] {
        let told = mistakes(&args, &[], &[]);
        assert!(told.starts_with(name) && !told.contains("hunter2"), "{args:?}\n{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    // After a stray argument, the flags that were not parsed are not reported as missing.
    let told = mistakes(&["--redis-url=redis://a", "stray", "--api-keys=x"], &[], &[]);
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn help_names_the_variable_and_the_default_of_each_setting() {
    let printed = |args: &[&str]| match run(args, &[("DOORWARD_LEASE", "x")], &[]) {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    };
    let help = printed(&["--help"]);
    for setting in SETTINGS {
        let flag = format!("--{} <{}>", setting.name, setting.value);
        assert_eq!(help.contains(&flag), setting.exposure != Exposure::Secret, "{flag}\n{help}");
        assert!(help.contains(&setting.variable()) && help.contains(setting.help), "{}", setting.name);
        assert!(help.contains(&format!("[default: {}]", setting.default)) || setting.default.is_empty());
    }
    for name in ["--config <PATH>", "check-config", "healthcheck", "hash-key", "--version"] {
        assert!(help.contains(name), "{name}\n{help}");
    }
    assert_eq!(printed(&["--version"]), format!("doorward {}\n", env!("CARGO_PKG_VERSION")));
    assert!(printed(&["check-config", "--help"]).contains("--redis-url <URL>"));
}
