//! Settings from the TOML file, as texts: these go through the same parsers as flags and variables.

use std::iter;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::given::{GivenText, GivenTexts, value_or_path};
use super::mistake::{Mistake, did_you_mean};
use super::parse::list::items;
use super::setting::{CONFIG, Setting};
use super::settings::SETTINGS;

/// Takes the settings from the text of the file at `path`.
pub(crate) fn read(text: &str, path: &str, mistakes: &mut Vec<Mistake>) -> GivenTexts {
    // An editor's byte order mark is not TOML.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        mistakes.extend(errors.iter().map(|error| syntax_mistake(error, text, path)));
        // The parts that were recovered may not have the intended meaning.
        return GivenTexts::new();
    }
    let mut table = table.into_inner();
    let mut texts = GivenTexts::new();
    for setting in SETTINGS {
        let value = take(setting, setting.name, false, &mut table, path, mistakes);
        let file = setting.file_key().and_then(|key| take(setting, &key, true, &mut table, path, mistakes));
        // As with variables, an empty path counts as unset, and so does an empty value beside a path.
        let file = file.filter(|file| !file.text.is_empty());
        let value = value.filter(|value| file.is_none() || !value.text.is_empty());
        if let Some(given) = value_or_path(setting, value, file, mistakes) {
            texts.insert(setting.name, given);
        }
    }
    mistakes.extend(table.keys().map(|key| unknown_key(key, path)));
    texts
}

/// Removes `key` from the table and returns its text.
fn take(
    setting: &Setting,
    key: &str,
    is_path: bool,
    table: &mut DeTable<'_>,
    path: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<GivenText> {
    let value = table.remove(key)?;
    let origin = format!("{key} in {path}");
    let text = match value.get_ref() {
        DeValue::Table(tables) if setting.may_be_tables => text_of_tables(tables),
        value => text_of(value, setting.is_list && !is_path),
    };
    match text {
        Ok(text) => Some(GivenText { text, origin, is_path }),
        Err(problem) => {
            mistakes.push(Mistake::new(setting.name, origin, problem));
            None
        }
    }
}

fn text_of(value: &DeValue<'_>, is_list: bool) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(boolean) => Ok(boolean.to_string()),
        DeValue::Array(items) if is_list => {
            let items = items.iter().map(|item| match item.get_ref() {
                // Joined below, the text would become two items or part of a comment.
                DeValue::String(text) if text.contains(',') => {
                    Err("is a list with a comma in one of its texts")
                }
                DeValue::String(text) if !is_one_item(text) => {
                    Err("is a list with a line break or a comment in one of its texts")
                }
                DeValue::String(text) => Ok(text.as_ref()),
                _ => Err("is a list with an item that is not a text"),
            });
            Ok(items.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        DeValue::Array(_) => Err("is a list, but takes one value".into()),
        DeValue::Table(_) => Err("is a table, but takes a value".into()),
        DeValue::Datetime(time) => Ok(time.to_string()),
    }
}

fn is_one_item(text: &str) -> bool {
    text.trim().is_empty() || items(text) == [text.trim()]
}

/// Returns tables in the form of a flag: `NAME:KEY=VALUE+KEY=VALUE`.
fn text_of_tables(tables: &DeTable<'_>) -> Result<String, String> {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    let escaped = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let item = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let name = name.get_ref();
        let DeValue::Table(table) = value.get_ref() else {
            return Err(format!("has a {:?} that is not a table", name.as_ref()));
        };
        let values = table.iter().flat_map(|(key, value)| match value.get_ref() {
            // Each value of a list is a pair of its own.
            DeValue::Array(items) => items.iter().map(|item| (key, item)).collect(),
            _ => vec![(key, value)],
        });
        let pairs = values.map(|(key, value)| {
            let key = key.get_ref();
            let value = text_of(value.get_ref(), false).map_err(|problem| {
                format!("has a {:?} in {:?} that {problem}", key.as_ref(), name.as_ref())
            })?;
            Ok(format!("{}={}", escaped(key), escaped(&value)))
        });
        Ok(format!("{}:{}", escaped(name), pairs.collect::<Result<Vec<_>, String>>()?.join("+")))
    };
    Ok(tables.iter().map(item).collect::<Result<Vec<_>, _>>()?.join(","))
}

fn unknown_key(key: &Spanned<DeString<'_>>, path: &str) -> Mistake {
    let known = SETTINGS.iter().flat_map(|s| iter::once(s.name.to_owned()).chain(s.file_key()));
    let name = key.get_ref().as_ref();
    let problem = format!("is not a setting that a file may have{}", did_you_mean(name, known));
    Mistake::new(name.escape_debug().to_string(), path, problem)
}

/// Reports the line number and the reason. The library's own text would repeat the line, which may hold a secret.
fn syntax_mistake(error: &toml::de::Error, text: &str, path: &str) -> Mistake {
    let before = error.span().and_then(|span| text.as_bytes().get(..span.start)).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Mistake::new(CONFIG.name, format!("{path} line {line}"), error.message())
}
