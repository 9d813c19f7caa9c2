//! Settings from flags. clap's flags are made from the table of settings.

use std::collections::BTreeMap;
use std::iter;

use clap::{Arg, ArgMatches};

use super::mistake::Mistake;
use super::setting::{CONFIG, Exposure, Setting};
use super::settings::SETTINGS;

/// The texts that flags give to settings.
#[derive(Default)]
pub(crate) struct SettingFlags {
    pub(crate) texts: BTreeMap<&'static str, String>,
    pub(crate) mistakes: Vec<Mistake>,
}

impl SettingFlags {
    /// Adds the flag of each setting to a command.
    pub(crate) fn add_to(command: clap::Command) -> clap::Command {
        command
            .args(iter::once(&CONFIG).chain(SETTINGS).map(flag))
            .after_help("--help lists all settings.")
            .after_long_help(after_long_help())
    }

    /// Takes the texts from a parsed command that [`SettingFlags::add_to`] made.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let mut flags = Self::default();
        for setting in iter::once(&CONFIG).chain(SETTINGS) {
            if !matches!(matches.try_contains_id(setting.name), Ok(true)) {
                continue;
            }
            if setting.exposure == Exposure::Secret {
                let problem = format!(
                    "a secret has no flag, because process lists show flags; set {0} or {0}_FILE",
                    setting.variable()
                );
                flags.mistakes.push(Mistake::new(setting.name, format!("--{}", setting.name), problem));
            } else if let Ok(Some(text)) = matches.try_get_one::<String>(setting.name) {
                flags.texts.insert(setting.name, text.clone());
            }
        }
        flags
    }

    /// Adds the flags that stood before the command. A flag in both places is a mistake.
    pub(crate) fn with_earlier(mut self, earlier: Self) -> Self {
        for (name, text) in earlier.texts {
            if self.texts.insert(name, text).is_some() {
                let problem = "is given before the command and after it: keep one";
                self.mistakes.push(Mistake::new(format!("--{name}"), "command line", problem));
            }
        }
        self.mistakes.extend(earlier.mistakes);
        self
    }

    /// Returns a mistake for each flag: the command that follows does not take settings.
    pub(crate) fn stray(self) -> impl Iterator<Item = Mistake> {
        let names = self.texts.into_keys().map(|name| format!("--{name}"));
        let stray = names.map(|name| {
            Mistake::new(name, "command line", "is a setting of the server, which this command does not take")
        });
        stray.chain(self.mistakes)
    }
}

fn flag(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.name).value_name(setting.value);
    if setting.exposure == Exposure::Secret {
        // clap knows this flag so that its use gets a better error than "unknown".
        return arg.hide(true).num_args(0..=1);
    }
    let default = match setting.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    arg.help(format!("{}{default}", setting.help))
        .long_help(format!("{} {}{default}", setting.help, variables(setting)))
        .hide_short_help(!setting.is_frequent)
}

fn variables(setting: &Setting) -> String {
    let variable = setting.variable();
    match setting.file_variable() {
        Some(file_variable) => format!("[env: {variable}, or {file_variable} with a path]"),
        None => format!("[env: {variable}]"),
    }
}

fn after_long_help() -> String {
    let mut text = "Secrets have no flag:\n".to_owned();
    for setting in SETTINGS.iter().filter(|setting| setting.exposure == Exposure::Secret) {
        text += &format!("  {}\n          {} {}\n", setting.name, setting.help, variables(setting));
    }
    text + "\nA flag beats a variable, which beats the file, which beats the default.\n\
            A duration is a whole number and a unit: 500ms, 10s, 5m, 1h, 14d."
}
