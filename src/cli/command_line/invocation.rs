//! Reads a command line.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, FromArgMatches as _, Subcommand as _};

use super::clap_error::mistake;
use super::verbs::{ClientVerb, CommandLine, ServerVerb, Verb, command};
use crate::config::text_file::{ReadTextFile, read_text_file};
use crate::config::{LoadError, Loaded, Mistake, SettingFlags, load_server};

/// A command line, read.
#[derive(Debug)]
pub enum Invocation {
    /// Print this text: the help or the version.
    Print(String),
    /// A command that works with the settings of a server.
    Server(ServerVerb, Box<Loaded>),
    /// Any other command.
    Client(Box<ClientVerb>),
}

/// Reads a command line, and the settings if its command needs them. `args` starts with the program's name.
///
/// # Errors
/// All mistakes at once.
pub fn read(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Invocation, LoadError> {
    read_with(args, env, &read_text_file)
}

/// [`read`] with another way to read files, for tests and fuzz targets.
///
/// # Errors
/// See [`read`].
pub fn read_with(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_file: ReadTextFile<'_>,
) -> Result<Invocation, LoadError> {
    let mut mistakes = Vec::new();
    let (verb, matches) = match parse(args.into_iter().collect(), &mut mistakes) {
        ParsedCommandLine::Print(text) => return Ok(Invocation::Print(text)),
        ParsedCommandLine::Whole(verb, matches) => (Some(verb), matches),
        ParsedCommandLine::Start(matches) => (None, matches),
    };
    let before = SettingFlags::of(&matches);
    let is_complete = verb.is_some();
    match verb {
        Some(Verb::Client(verb)) => {
            mistakes.extend(before.stray());
            return if mistakes.is_empty() {
                Ok(Invocation::Client(verb))
            } else {
                Err(LoadError { mistakes })
            };
        }
        None if !takes_settings(&matches) => return Err(LoadError { mistakes }),
        _ => {}
    }
    let flags = match matches.subcommand() {
        Some((_, after)) => SettingFlags::of(after).with_earlier(before),
        None => before,
    };
    let loaded = load_server(flags, is_complete, mistakes, env, read_file)?;
    let verb = match verb {
        Some(Verb::Server(verb)) => verb,
        // An incomplete command line has a mistake.
        _ => ServerVerb::Serve,
    };
    Ok(Invocation::Server(verb, Box::new(loaded)))
}

/// A parsed command line.
enum ParsedCommandLine {
    /// The help or the version.
    Print(String),
    /// The whole command line, apart from unknown flags.
    Whole(Verb, ArgMatches),
    /// The part before a mistake.
    Start(ArgMatches),
}

/// Parses the command line. An error of clap is reported like any other mistake.
///
/// To report further mistakes of a server's settings as well, an unknown flag is removed and the rest is parsed again.
/// After any other error, the flags before it are used.
fn parse(mut args: Vec<OsString>, mistakes: &mut Vec<Mistake>) -> ParsedCommandLine {
    loop {
        let matches = command().try_get_matches_from(&args);
        let error = match matches.and_then(|matches| Ok((CommandLine::from_arg_matches(&matches)?, matches)))
        {
            Ok((line, matches)) => {
                return ParsedCommandLine::Whole(
                    line.verb.unwrap_or(Verb::Server(ServerVerb::Serve)),
                    matches,
                );
            }
            Err(error) => error,
        };
        if !is_output(&error) {
            mistakes.push(mistake(&error, &args));
        } else if mistakes.is_empty() {
            return ParsedCommandLine::Print(error.render().to_string());
        }
        let start = command().ignore_errors(true).try_get_matches_from(&args).unwrap_or_default();
        if !takes_settings(&start) || !remove_unknown_flag(&mut args, &error) {
            return ParsedCommandLine::Start(start);
        }
    }
}

fn is_output(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

fn takes_settings(matches: &ArgMatches) -> bool {
    matches.subcommand_name().is_none_or(ServerVerb::has_subcommand)
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
        !arg.starts_with('-') && !Verb::has_subcommand(&arg)
    };
    if !has_value_in_it && args.get(at).is_some_and(is_value) {
        args.remove(at);
    }
    true
}
