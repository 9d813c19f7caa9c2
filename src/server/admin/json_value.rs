//! A JSON text as a value, read more strictly than serde_json does (no name twice in an object), and in one place more
//! leniently: a text that is only shown need not be Unicode.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The field of a request that is only shown. Applications copy it from a header, which may hold any bytes.
const SHOWN: &str = "user_agent";
/// The most names that are told to be repeated.
const MAX_REPEATED: usize = 100;

/// A value, and the paths of the names that are repeated in it, such as `related_objects/0/object_id`.
pub struct Parsed {
    /// The last one of a repeated name.
    pub value: Value,
    /// At most [`MAX_REPEATED`].
    pub repeated: Vec<String>,
}

/// Reads a JSON text.
///
/// # Errors
/// It is malformed; the message names the place, not the content.
pub fn parse(body: &[u8]) -> Result<Parsed, serde_json::Error> {
    // The second attempt is for what is no text where one is only shown.
    parse_with(body, true).or_else(|_| parse_with(body, false))
}

fn parse_with(body: &[u8], is_lenient: bool) -> Result<Parsed, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut repeated = Vec::new();
    let any = Any { path: &Path::Root, repeated: &mut repeated, is_lenient };
    let value = any.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Parsed { value, repeated })
}

/// The path to a value, made a text only where it is told.
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn segments(&self) -> Vec<String> {
        let (mut segments, last) = match self {
            Self::Root => return Vec::new(),
            Self::Name(parent, name) => (parent.segments(), escaped(name)),
            Self::Index(parent, at) => (parent.segments(), at.to_string()),
        };
        segments.push(last);
        segments
    }
}

/// A name as a segment of a JSON pointer (RFC 6901, section 3).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

struct Any<'a> {
    path: &'a Path<'a>,
    repeated: &'a mut Vec<String>,
    is_lenient: bool,
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
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
            let path = Path::Index(self.path, values.len());
            let item = Any { path: &path, repeated: &mut *self.repeated, is_lenient: self.is_lenient };
            match items.next_element_seed(item)? {
                Some(value) => values.push(value),
                None => return Ok(values.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = Path::Name(self.path, &name);
            let value = if self.is_lenient && matches!(self.path, Path::Root) && name == SHOWN {
                fields.next_value_seed(Shown)?
            } else {
                let any = Any { path: &path, repeated: &mut *self.repeated, is_lenient: self.is_lenient };
                fields.next_value_seed(any)?
            };
            if values.contains_key(&name) && self.repeated.len() < MAX_REPEATED {
                self.repeated.push(path.segments().join("/"));
            }
            values.insert(name, value);
        }
        Ok(values.into())
    }
}

/// A text of any bytes, or `null`.
struct Shown;

impl<'de> DeserializeSeed<'de> for Shown {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Shown {
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
        // As bytes, serde_json leaves unpaired surrogates and what is not UTF-8 as they are.
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
        parse(body.as_ref()).ok().map(|Parsed { value, repeated }| (value, repeated))
    }

    #[test]
    fn a_value_is_what_serde_json_makes_of_it() {
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
    fn a_repeated_name_is_found_wherever_it_is() {
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
    }
}
