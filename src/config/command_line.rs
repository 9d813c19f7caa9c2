//! The command line: flags and commands by clap, both made from the table of settings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::iter;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches};

use super::settings::{CONFIG, Exposure, SETTINGS, Setting};
use super::{Mistake, quoted};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Serve,
    CheckConfig,
    Healthcheck,
    HashKey,
}

const CHECK_CONFIG: &str = "check-config";
const HEALTHCHECK: &str = "healthcheck";
const HASH_KEY: &str = "hash-key";

pub(super) enum CommandLine {
    /// Help or version.
    Print(String),
    /// Something to do, with the settings that flags gave.
    Run { verb: Verb, flags: BTreeMap<&'static str, String> },
}

/// Reads the command line. What clap refuses is a mistake like any other; the flags before it still count, so
/// that the mistakes in them are told as well.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>, mistakes: &mut Vec<Mistake>) -> CommandLine {
    let args: Vec<_> = args.into_iter().collect();
    let matches = match command().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return CommandLine::Print(error.render().to_string());
        }
        Err(error) => {
            mistakes.push(mistake(&error));
            command().ignore_errors(true).try_get_matches_from(&args).unwrap_or_default()
        }
    };
    let verb = match matches.subcommand_name() {
        Some(CHECK_CONFIG) => Verb::CheckConfig,
        Some(HEALTHCHECK) => Verb::Healthcheck,
        Some(HASH_KEY) => Verb::HashKey,
        _ => Verb::Serve,
    };
    CommandLine::Run { verb, flags: flags(&matches, mistakes) }
}

fn flags(matches: &ArgMatches, mistakes: &mut Vec<Mistake>) -> BTreeMap<&'static str, String> {
    let mut flags = BTreeMap::new();
    for setting in iter::once(&CONFIG).chain(SETTINGS) {
        if !matches!(matches.try_contains_id(setting.name), Ok(true)) {
            continue;
        }
        if setting.exposure == Exposure::Secret {
            let problem = format!(
                "a secret has no flag, as process lists show flags; set {0} or {0}_FILE",
                setting.variable()
            );
            mistakes.push(Mistake::new(setting.name, format!("--{}", setting.name), problem));
        } else if let Ok(Some(text)) = matches.try_get_one::<String>(setting.name) {
            flags.insert(setting.name, text.clone());
        }
    }
    flags
}

fn command() -> clap::Command {
    clap::Command::new("doorward")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Session token server. Without a command it serves.")
        .after_help(after_help())
        .disable_help_subcommand(true)
        .args(iter::once(&CONFIG).chain(SETTINGS).map(flag))
        .subcommand(
            clap::Command::new(CHECK_CONFIG).about("Check all settings and print them, secrets left out"),
        )
        .subcommand(clap::Command::new(HEALTHCHECK).about("Ask the running server whether it is ready"))
        .subcommand(clap::Command::new(HASH_KEY).about("Read an API key on standard input, print its hash"))
}

fn flag(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.name).value_name(setting.value).global(true);
    if setting.exposure == Exposure::Secret {
        // Known only so that using it gets a better answer than "unknown".
        return arg.hide(true).num_args(0..=1);
    }
    let mut help = format!("{} {}", setting.help, variables(setting));
    if !setting.default.is_empty() {
        help += &format!(" [default: {}]", setting.default);
    }
    arg.help(help)
}

fn variables(setting: &Setting) -> String {
    let variable = setting.variable();
    match setting.file_variable() {
        Some(file_variable) => format!("[env: {variable}, or {file_variable} with a path]"),
        None => format!("[env: {variable}]"),
    }
}

fn after_help() -> String {
    let mut text = "Secrets have no flag:\n".to_owned();
    for setting in SETTINGS.iter().filter(|setting| setting.exposure == Exposure::Secret) {
        text += &format!("  {}\n          {} {}\n", setting.name, setting.help, variables(setting));
    }
    text + "\nA flag beats a variable, which beats the file, which beats the default.\n\
            Durations are a whole number and a unit: 500ms, 10s, 5m, 1h, 14d."
}

/// Says in our words what clap refused: its own would repeat a stray argument, which may be a key.
fn mistake(error: &clap::Error) -> Mistake {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (name, problem) = match (error.kind(), text(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(flag)) if flag.starts_with('-') => {
            let hint = text(ContextKind::SuggestedArg).map(|flag| format!(" (did you mean {flag}?)"));
            let flag = flag.split('=').next().unwrap_or_default();
            (quoted(flag).trim_matches('"').to_owned(), format!("is not a flag{}", hint.unwrap_or_default()))
        }
        (ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand, _) => {
            let problem = "has an argument that is neither a flag nor one of the commands \
                           check-config, healthcheck and hash-key (which reads the key on standard input)";
            ("doorward".to_owned(), problem.to_owned())
        }
        (_, arg) => {
            let message = error.render().to_string();
            let first = message.lines().next().unwrap_or_default();
            let name = arg.and_then(|arg| arg.split_whitespace().next()).unwrap_or("doorward");
            (name.to_owned(), first.strip_prefix("error: ").unwrap_or(first).to_owned())
        }
    };
    Mistake::new(name, "command line", problem)
}
