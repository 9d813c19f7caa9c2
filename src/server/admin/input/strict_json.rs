//! Parses JSON more strictly than serde_json: a repeated name in an object is reported. One field is read more leniently:
//! the user agent need not be Unicode.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::json_pointer::JsonPath;

/// The field whose text is only displayed. Applications copy it from a header, which may hold any bytes.
const LOSSY_FIELD: &str = "user_agent";
/// The lists of an import whose records have that field.
const RECORDS: [&str; 2] = ["tokens", "devices"];
/// The most repeated names that are reported.
const MAX_REPEATED: usize = 100;

/// A value, and the paths of the names that are repeated in it, such as `related_objects/0/object_id`.
pub struct ParsedJson {
    /// The value. A repeated name has its last value.
    pub value: Value,
    /// The repeated names, at most `MAX_REPEATED`.
    pub repeated: Vec<String>,
}

/// Parses a JSON text.
///
/// # Errors
/// If it is malformed. The message names the place, not the content.
pub fn parse(body: &[u8]) -> Result<ParsedJson, serde_json::Error> {
    // The second attempt accepts a user agent that is not a string, so that its field can be named.
    parse_with(body, true).or_else(|_| parse_with(body, false))
}

fn parse_with(body: &[u8], is_lenient: bool) -> Result<ParsedJson, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut repeated = Vec::new();
    let any = AnyValue { path: &JsonPath::Root, repeated: &mut repeated, is_lenient };
    let value = any.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(ParsedJson { value, repeated })
}

/// Reads any value, and notes the names that are repeated in it.
struct AnyValue<'a> {
    path: &'a JsonPath<'a>,
    repeated: &'a mut Vec<String>,
    is_lenient: bool,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let path = JsonPath::Item(self.path, values.len());
            let item = AnyValue { path: &path, repeated: &mut *self.repeated, is_lenient: self.is_lenient };
            match items.next_element_seed(item)? {
                Some(value) => values.push(value),
                None => return Ok(values.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = JsonPath::Field(self.path, &name);
            let value = if self.is_lenient && name == LOSSY_FIELD && may_be_lossy(self.path) {
                fields.next_value_seed(LossyText)?
            } else {
                let any =
                    AnyValue { path: &path, repeated: &mut *self.repeated, is_lenient: self.is_lenient };
                fields.next_value_seed(any)?
            };
            if values.contains_key(&name) && self.repeated.len() < MAX_REPEATED {
                self.repeated.push(path.text());
            }
            values.insert(name, value);
        }
        Ok(values.into())
    }
}

/// Whether the object at this path is a login: the body, or a record of an import.
fn may_be_lossy(path: &JsonPath<'_>) -> bool {
    match path {
        JsonPath::Root => true,
        JsonPath::Item(JsonPath::Field(JsonPath::Root, list), _) => RECORDS.contains(list),
        _ => false,
    }
}

/// Reads a string of any bytes, or `null`. Invalid Unicode becomes U+FFFD.
pub struct LossyText;

impl<'de> DeserializeSeed<'de> for LossyText {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for LossyText {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        // Read as bytes, because serde_json then accepts unpaired surrogates and invalid UTF-8.
        deserializer.deserialize_bytes(self)
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(String::from_utf8_lossy(bytes).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Err(A::Error::custom("not a string"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: impl AsRef<[u8]>) -> Option<(Value, Vec<String>)> {
        parse(body.as_ref()).ok().map(|ParsedJson { value, repeated }| (value, repeated))
    }

    #[test]
    fn values_equal_serde_jsons() {
        for body in [
            r#"{"a": [1, -1, 1.5, 3e2, true, null, "é\n"], "user_agent": null}"#,
            "3",
            r#""x""#,
            "[]",
            "null",
        ] {
            assert_eq!(read(body), Some((serde_json::from_str(body).unwrap(), Vec::new())), "{body}");
        }
        for bad in ["", "{", "{}x", r#"{"a":"\ud800"}"#, "{\"a\":\"\t\"}", "[1,]", &"[".repeat(200)] {
            assert!(read(bad).is_none(), "{bad}");
        }
        assert!(read(b"{\"user\":\"\xe9\"}").is_none());
    }

    #[test]
    fn repeated_names_are_found_at_any_depth() {
        let body = r#"{"a": 1, "b": [{"c": 1}, {"c/~": 1, "c/~": 2}], "\u0061": null, "d": {"c": 1}}"#;
        let (_, repeated) = read(body).unwrap();
        assert_eq!(repeated, ["b/1/c~1~0", "a"]);
    }

    #[test]
    fn a_user_agent_may_hold_any_bytes() {
        let agent = |body: &[u8]| read(body).map(|(value, _)| value["user_agent"].clone());
        assert_eq!(agent(b"{\"user_agent\":\"a\xe9\tb\"}"), Some(json!("a\u{fffd}\tb")));
        let unpaired = agent(br#"{"user_agent":"a\udce9b"}"#).unwrap();
        assert!(unpaired.as_str().unwrap().starts_with("a\u{fffd}"), "{unpaired}");
        for other in ["1", "[1]", "{}", "true", "null"] {
            let body = format!(r#"{{"user_agent":{other},"x":1}}"#);
            let (value, _) = read(&body).unwrap();
            assert_eq!((value["user_agent"].to_string().as_str(), &value["x"]), (other, &json!(1)));
        }
        assert!(agent(b"{\"x\":{\"user_agent\":\"\xe9\"}}").is_none());
        let (record, _) = read(b"{\"tokens\":[{\"user_agent\":\"\xe9\"}]}").unwrap();
        assert_eq!(record["tokens"][0]["user_agent"], "\u{fffd}");
    }
}
