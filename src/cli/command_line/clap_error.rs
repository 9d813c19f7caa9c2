//! Errors of clap as mistakes. clap's own texts would repeat a stray argument or a bad value, which may be a secret.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::verbs::command;
use crate::config::Mistake;
use crate::config::mistake::quoted;

/// The name of a mistake that is not about one flag.
const PROGRAM: &str = "doorward";

/// Describes an error of clap in this command line.
pub(super) fn mistake(error: &clap::Error, args: &[OsString]) -> Mistake {
    let arg = texts(error, ContextKind::InvalidArg);
    let arg = arg.first().map(String::as_str);
    let (name, problem) = match (error.kind(), arg) {
        (ErrorKind::UnknownArgument, Some(flag)) if flag.starts_with('-') => {
            let flag = flag.split('=').next().unwrap_or_default();
            let name = quoted(flag).trim_matches('"').to_owned();
            let problem = match owner(flag, args) {
                Some(owner) => format!("is not a flag here; `{owner}` has it"),
                None => format!("is not a flag{}", suggestion(error, ContextKind::SuggestedArg)),
            };
            (name, problem)
        }
        (ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand, _) => {
            let hint = suggestion(error, ContextKind::SuggestedSubcommand);
            let hint = if hint.is_empty() { "; a key is read on standard input".to_owned() } else { hint };
            (PROGRAM.to_owned(), format!("has an argument that is neither a flag nor a command{hint}"))
        }
        (ErrorKind::MissingSubcommand, _) => {
            let mut verbs = texts(error, ContextKind::ValidSubcommand);
            verbs.retain(|verb| verb != "help");
            (PROGRAM.to_owned(), format!("lacks a command: {}", verbs.join(", ")))
        }
        (ErrorKind::MissingRequiredArgument, _) => {
            let missing = texts(error, ContextKind::InvalidArg).join(", ");
            (PROGRAM.to_owned(), format!("lacks {missing}"))
        }
        (ErrorKind::ValueValidation, Some(arg)) => {
            let problem = error.source().map_or("has an invalid value".to_owned(), ToString::to_string);
            (name_of(arg), problem)
        }
        (ErrorKind::InvalidValue, Some(arg)) if !texts(error, ContextKind::ValidValue).is_empty() => {
            (name_of(arg), format!("is not one of {}", texts(error, ContextKind::ValidValue).join(", ")))
        }
        (_, arg) => {
            let message = error.render().to_string();
            let first = message.lines().next().unwrap_or_default();
            let name = arg.map_or(PROGRAM.to_owned(), name_of);
            (name, first.strip_prefix("error: ").unwrap_or(first).to_owned())
        }
    };
    Mistake::new(name, "command line", problem)
}

/// Returns a command that has this flag: if possible the one in the command line, else the first.
fn owner(flag: &str, args: &[OsString]) -> Option<String> {
    let long = flag.strip_prefix("--")?;
    let has_it = |command: &clap::Command| command.get_arguments().any(|arg| arg.get_long() == Some(long));
    let command = command();
    let mut owners = Vec::new();
    for verb in command.get_subcommands() {
        if has_it(verb) {
            owners.push(vec![verb.get_name()]);
        }
        let nested = verb.get_subcommands().filter(|nested| has_it(nested));
        owners.extend(nested.map(|nested| vec![verb.get_name(), nested.get_name()]));
    }
    let is_in_args = |owner: &&Vec<&str>| owner.iter().all(|name| args.iter().any(|arg| arg == name));
    let owner = owners.iter().find(is_in_args).or(owners.first())?;
    Some(format!("{PROGRAM} {}", owner.join(" ")))
}

/// Returns the name in an argument's usage: `--lease` in `--lease <DURATION>`, `ID` in `<ID>`.
fn name_of(usage: &str) -> String {
    let first = usage.split_whitespace().next().unwrap_or(PROGRAM);
    first.trim_matches(['<', '>', '[', ']', '.']).to_owned()
}

fn suggestion(error: &clap::Error, kind: ContextKind) -> String {
    // The most similar one is the last.
    texts(error, kind).last().map_or(String::new(), |name| format!(" (did you mean {name}?)"))
}

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}
