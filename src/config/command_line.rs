//! Settings from flags, and the command. clap's flags are made from the table of settings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::iter;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches};

use super::mistake::{Mistake, quoted};
use super::setting::{CONFIG, Exposure, Setting};
use super::settings::SETTINGS;

/// The command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Serve,
    CheckConfig,
    Healthcheck,
    HashKey,
}

const CHECK_CONFIG: &str = "check-config";
const HEALTHCHECK: &str = "healthcheck";
const HASH_KEY: &str = "hash-key";

pub(crate) enum CommandLine {
    /// The help or the version.
    Print(String),
    /// A command, with the settings that flags give.
    Run {
        verb: Verb,
        flags: BTreeMap<&'static str, String>,
        /// Whether the whole command line was understood, apart from unknown flags.
        is_complete: bool,
    },
}

/// Parses the command line. An error of clap is reported like any other mistake.
///
/// To report further mistakes as well, an unknown flag is removed and the rest is parsed again. After any other error, the
/// flags before it are used.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>, mistakes: &mut Vec<Mistake>) -> CommandLine {
    let mut args: Vec<_> = args.into_iter().collect();
    let mut is_complete = true;
    let matches = loop {
        match command().try_get_matches_from(&args) {
            Ok(matches) => break matches,
            Err(error) if is_output(&error) && mistakes.is_empty() => {
                return CommandLine::Print(error.render().to_string());
            }
            Err(error) => {
                if !is_output(&error) {
                    mistakes.push(mistake(&error));
                }
                if !remove_unknown_flag(&mut args, &error) {
                    is_complete = false;
                    break command().ignore_errors(true).try_get_matches_from(&args).unwrap_or_default();
                }
            }
        }
    };
    let verb = match matches.subcommand_name() {
        Some(CHECK_CONFIG) => Verb::CheckConfig,
        Some(HEALTHCHECK) => Verb::Healthcheck,
        Some(HASH_KEY) => Verb::HashKey,
        _ => Verb::Serve,
    };
    CommandLine::Run { verb, flags: flags(&matches, mistakes), is_complete }
}

fn is_output(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// Removes the flag that clap does not know, and its value, if it has one. Returns whether there was such a flag.
fn remove_unknown_flag(args: &mut Vec<OsString>, error: &clap::Error) -> bool {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return false };
    if error.kind() != ErrorKind::UnknownArgument || !flag.starts_with("--") {
        return false;
    }
    let text = |arg: &OsString| arg.to_string_lossy().into_owned();
    let is_it = |arg: &OsString| text(arg).split('=').next() == flag.split('=').next();
    let Some(at) = args.iter().skip(1).position(is_it).map(|at| at + 1) else { return false };
    let has_value_in_it = text(&args.remove(at)).contains('=');
    let is_value = |arg: &OsString| {
        let arg = text(arg);
        !arg.starts_with('-') && ![CHECK_CONFIG, HEALTHCHECK, HASH_KEY].contains(&arg.as_str())
    };
    if !has_value_in_it && args.get(at).is_some_and(is_value) {
        args.remove(at);
    }
    true
}

fn flags(matches: &ArgMatches, mistakes: &mut Vec<Mistake>) -> BTreeMap<&'static str, String> {
    let mut flags = BTreeMap::new();
    for setting in iter::once(&CONFIG).chain(SETTINGS) {
        if !matches!(matches.try_contains_id(setting.name), Ok(true)) {
            continue;
        }
        if setting.exposure == Exposure::Secret {
            let problem = format!(
                "a secret has no flag, because process lists show flags; set {0} or {0}_FILE",
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
        .about("Session token server. Without a command, it serves.")
        .after_help(after_help())
        .disable_help_subcommand(true)
        .args(iter::once(&CONFIG).chain(SETTINGS).map(flag))
        .subcommand(
            clap::Command::new(CHECK_CONFIG).about("Check all settings and print them without secrets"),
        )
        .subcommand(clap::Command::new(HEALTHCHECK).about("Ask the running server whether it is ready"))
        .subcommand(
            clap::Command::new(HASH_KEY).about("Read an API key from standard input and print its hash"),
        )
}

fn flag(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.name).value_name(setting.value).global(true);
    if setting.exposure == Exposure::Secret {
        // clap knows this flag so that its use gets a better error than "unknown".
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
            A duration is a whole number and a unit: 500ms, 10s, 5m, 1h, 14d."
}

/// Describes an error of clap. clap's own text would repeat a stray argument, which may be a key.
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
