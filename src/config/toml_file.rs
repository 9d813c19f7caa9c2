//! The TOML file, taken as texts: they go through the same parsers as flags and variables.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::given::{Given, Source, either};
use super::list::items;
use super::mistake::Mistake;
use super::settings::{SETTINGS, did_you_mean};

/// Takes the settings from the text of the file at `path`.
pub(crate) fn read(text: &str, path: &str, mistakes: &mut Vec<Mistake>) -> Source {
    // An editor's byte order mark is not TOML.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        mistakes.extend(errors.iter().map(|error| syntax_mistake(error, text, path)));
        // What was saved from broken text may not be what was meant.
        return Source::new();
    }
    let mut table = table.into_inner();
    let mut source = Source::new();
    for setting in SETTINGS {
        let mut take = |key: &str, is_path: bool| {
            let value = table.remove(key)?;
            let origin = format!("{key} in {path}");
            let text = match value.get_ref() {
                DeValue::Table(tables) if setting.tables => text_of_tables(tables),
                value => text_of(value, setting.list && !is_path),
            };
            match text {
                Ok(text) => Some(Given { text, origin, is_path }),
                Err(problem) => {
                    mistakes.push(Mistake::new(setting.name, origin, problem));
                    None
                }
            }
        };
        let direct = take(setting.name, false);
        let file = setting.file_key().and_then(|key| take(&key, true));
        // As with variables: an empty path is none.
        let file = file.filter(|file| !file.text.is_empty());
        let direct = direct.filter(|direct| file.is_none() || !direct.text.is_empty());
        if let Some(given) = either(setting, direct, file, mistakes) {
            source.insert(setting.name, given);
        }
    }
    mistakes.extend(table.keys().map(|key| unknown_key(key, path)));
    source
}

fn text_of(value: &DeValue<'_>, list: bool) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(boolean) => Ok(boolean.to_string()),
        DeValue::Array(items) if list => {
            let items = items.iter().map(|item| match item.get_ref() {
                // Joined below, it would become two items or part of a comment.
                DeValue::String(text) if text.contains(',') => {
                    Err("is a list with a comma in one of its texts")
                }
                DeValue::String(text) if !is_one_item(text) => {
                    Err("is a list with a line break or a comment in one of its texts")
                }
                DeValue::String(text) => Ok(text.as_ref()),
                _ => Err("is a list of something else than texts"),
            });
            Ok(items.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        DeValue::Array(_) => Err("is a list, but takes one value".into()),
        DeValue::Table(_) => Err("is a table, but takes a value".into()),
        DeValue::Datetime(_) => Err("is a date or a time, but takes a value in quotes".into()),
    }
}

fn is_one_item(text: &str) -> bool {
    text.trim().is_empty() || items(text) == [text.trim()]
}

/// Tables as the items that a flag would have: `NAME:KEY=VALUE+KEY=VALUE`.
fn text_of_tables(tables: &DeTable<'_>) -> Result<String, String> {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    let escaped = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let item = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let name = name.get_ref();
        let DeValue::Table(table) = value.get_ref() else {
            return Err(format!("has something else than a table as its {:?}", name.as_ref()));
        };
        let pairs = table.iter().map(|(key, value)| {
            let key = key.get_ref();
            let value = text_of(value.get_ref(), false).map_err(|problem| {
                format!("has in its {:?} a {:?} that {problem}", name.as_ref(), key.as_ref())
            })?;
            Ok(format!("{}={}", escaped(key), escaped(&value)))
        });
        Ok(format!("{}:{}", escaped(name), pairs.collect::<Result<Vec<_>, String>>()?.join("+")))
    };
    Ok(tables.iter().map(item).collect::<Result<Vec<_>, _>>()?.join(","))
}

fn unknown_key(key: &Spanned<DeString<'_>>, path: &str) -> Mistake {
    let known = SETTINGS.iter().flat_map(|s| std::iter::once(s.name.to_owned()).chain(s.file_key()));
    let name = key.get_ref().as_ref();
    let problem = format!("is not a setting that a file may have{}", did_you_mean(name, known));
    Mistake::new(name.escape_debug().to_string(), path, problem)
}

/// The line and the reason only: the library's own text repeats the line, which may hold a secret.
fn syntax_mistake(error: &toml::de::Error, text: &str, path: &str) -> Mistake {
    let before = error.span().and_then(|span| text.as_bytes().get(..span.start)).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Mistake::new("config", format!("{path} line {line}"), error.message())
}
