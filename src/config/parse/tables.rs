//! The form of every setting whose items are tables: `NAME:KEY=VALUE+KEY=VALUE`. A character of this syntax is
//! percent-encoded in a value. A key that may have several values is given several times.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;

use super::list::parse_items;
use super::scalar::{Parsed, is_word};

const MAX_NAME_CHARS: usize = 50;

/// Returns the name of an item.
pub(crate) fn table_name(item: &str) -> Parsed<&str> {
    let (name, _) = item.split_once(':').unwrap_or((item, ""));
    if !(1..=MAX_NAME_CHARS).contains(&name.len()) || !is_word(name) {
        return Err("its name is not 1 to 50 of A-Z a-z 0-9 _ -".into());
    }
    Ok(name)
}

/// Calls `set` with each key and value of an item. Only the keys `several` may have several values.
pub(crate) fn set_each(
    item: &str,
    several: &[&str],
    mut set: impl FnMut(&str, &str) -> Parsed<()>,
) -> Parsed<()> {
    let (_, pairs) = item.split_once(':').unwrap_or_default();
    let mut keys = HashSet::new();
    for pair in pairs.split('+').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("it is not NAME:KEY=VALUE+KEY=VALUE")?;
        let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("its {key} is not UTF-8"))?;
        set(key, &value).map_err(|problem| format!("its {key} {problem}"))?;
        if !keys.insert(key) && !several.contains(&key) {
            return Err(format!("it has {key} twice"));
        }
    }
    Ok(())
}

/// Parses tables, each with a name of its own. An error names the table, because the order of a file's tables is not kept.
pub(crate) fn parse_tables<T>(
    text: &str,
    max: usize,
    noun: &str,
    parse: impl Fn(&str) -> Parsed<T>,
    name: impl Fn(&T) -> &str,
) -> Parsed<Vec<T>> {
    let parse = |item: &str| {
        parse(item).map_err(|problem| match item.split_once(':') {
            Some((name, _)) if !name.is_empty() && name.split('.').all(is_word) => {
                format!("in {name}, {problem}")
            }
            _ => problem,
        })
    };
    with_own_names(parse_items(text, max, noun, parse)?, name)
}

/// Returns the items if each has a name of its own.
fn with_own_names<T>(items: Vec<T>, name: impl Fn(&T) -> &str) -> Parsed<Vec<T>> {
    let mut names = HashSet::new();
    match items.iter().map(name).find(|name| !names.insert(*name)) {
        Some(repeated) => Err(format!("has the name {repeated} twice")),
        None => Ok(items),
    }
}
