//! Objects of the API for people.

use serde_json::{Map, Value};

use super::output::{table, text};

/// Returns an object as lines of a name and a value: first those in `first`, then all others by name.
pub fn describe(object: &Value, first: &[&str]) -> String {
    let Value::Object(fields) = object else { return text(object) };
    let known = first.iter().filter_map(|name| fields.get_key_value(*name));
    let others = fields.iter().filter(|(name, _)| !first.contains(&name.as_str()));
    let width = fields.keys().map(String::len).max().unwrap_or_default();
    let lines = known.chain(others).map(|(name, value)| format!("{name:width$}  {}", summary(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// A value of an object: a nested object in pairs, a list with commas.
fn summary(value: &Value) -> String {
    match value {
        Value::Object(fields) => pairs(fields, &[]),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(summary).collect::<Vec<_>>().join(", "),
        other => text(other),
    }
}

/// Returns the fields that have a value as `name=value`, and the fields of nested objects as `outer.name=value`. Leaves out
/// the fields in `without`.
pub fn pairs(fields: &Map<String, Value>, without: &[&str]) -> String {
    let mut pairs = Vec::new();
    add_pairs("", fields, without, &mut pairs);
    pairs.join(" ")
}

fn add_pairs(prefix: &str, fields: &Map<String, Value>, without: &[&str], pairs: &mut Vec<String>) {
    for (name, value) in fields.iter().filter(|(name, _)| !without.contains(&name.as_str())) {
        match value {
            Value::Object(nested) => add_pairs(&format!("{prefix}{name}."), nested, &[], pairs),
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            value => match text(value) {
                value if value.contains([' ', '"']) => pairs.push(format!("{prefix}{name}={value:?}")),
                value => pairs.push(format!("{prefix}{name}={value}")),
            },
        }
    }
}

/// A heading, and the text of an object under it.
pub type Column = (&'static str, fn(&Value) -> String);

/// Returns objects as a table.
pub fn rows(columns: &[Column], objects: &[Value]) -> String {
    let header: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    table(&header, objects.iter().map(|object| columns.iter().map(|(_, read)| read(object)).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_lines_and_pairs() {
        let object = json!({"b": null, "a": {"x": 1, "y": {"z": "two words"}, "n": null}, "c": ["p", {"q": ""}], "d": []});
        let lines = "b  -\na  x=1 y.z=\"two words\"\nc  p, \nd  -";
        assert_eq!(describe(&object, &["b", "missing"]), lines);
    }
}
