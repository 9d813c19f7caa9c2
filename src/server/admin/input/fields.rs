//! Reads the fields of a JSON object or a query, and collects the errors of all of them.

use serde_json::{Map, Value};

use super::field_types::list;
use super::json_pointer::escaped;
use super::strict_json::{self, ParsedJson};
use crate::model::field_rules as rules;
use crate::server::admin::problem::{FieldError, Problem, ProblemKind};

const REPEATED: &str = "must be given once";

/// The fields of one object. Each call takes a field out; a field that remains at the end is unknown.
pub struct Fields {
    path: String,
    values: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads the fields of a request body. A repeated name is an error of its field.
    ///
    /// # Errors
    /// 400 if the body is not JSON, 422 if it is not an object.
    pub fn of_json(body: &[u8]) -> Result<Self, Problem> {
        match strict_json::parse(body) {
            Ok(ParsedJson { value: Value::Object(values), repeated }) => {
                let errors = repeated.iter().map(|path| FieldError::new(path, REPEATED)).collect();
                Ok(Self { path: String::new(), values, errors })
            }
            Ok(_) => Err(Problem::fields(vec![FieldError::of_whole("must be an object")])),
            Err(error) if is_out_of_range(&error) => {
                Err(Problem::fields(vec![FieldError::of_whole("has a number that is too large")]))
            }
            // The message of serde_json names the place, not the content.
            Err(error) => Err(Problem::new(ProblemKind::MalformedJson, format!("malformed JSON: {error}"))),
        }
    }

    /// Reads the parameters of a query string.
    pub fn of_query(query: Option<&str>) -> Self {
        let mut fields = Self { path: String::new(), values: Map::new(), errors: Vec::new() };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if fields.values.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
                fields.fail(&name, REPEATED);
            }
        }
        fields
    }

    /// Returns whether a field is there and not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes a field that must be there.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        if !self.values.contains_key(name) {
            self.fail(name, "is missing");
        }
        self.take(name, read)
    }

    /// Takes a field that may be absent or `null`.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        match self.values.get(name) {
            Some(Value::Null) => {
                self.values.remove(name);
                None
            }
            _ => self.take(name, read),
        }
    }

    /// Takes a field that `null` clears: `Some(None)`.
    pub fn clearable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value) -> Result<T, String>,
    ) -> Option<Option<T>> {
        match self.values.get(name) {
            Some(Value::Null) => {
                self.values.remove(name);
                Some(None)
            }
            _ => self.take(name, read).map(Some),
        }
    }

    /// Takes a list of objects; `read` reads each of them.
    pub fn objects<T>(
        &mut self,
        name: &str,
        max: usize,
        mut read: impl FnMut(&mut Fields) -> Option<T>,
    ) -> Vec<T> {
        let items = self.optional(name, list(max)).unwrap_or_default();
        let mut objects = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            let path = self.full_path(&format!("{name}/{at}"));
            let Value::Object(values) = item else {
                self.errors.push(FieldError::new(&path, "must be an object"));
                continue;
            };
            let mut fields = Self { path, values, errors: Vec::new() };
            objects.extend(read(&mut fields));
            self.errors.extend(fields.all_errors());
        }
        objects
    }

    /// Takes a list of objects that must be there, each of which may be wrong without the others: `read` reads each of them,
    /// and the errors of an object are its own.
    pub fn each_object<T>(
        &mut self,
        name: &str,
        max: usize,
        mut read: impl FnMut(&mut Fields) -> Option<T>,
    ) -> Vec<Result<T, Vec<FieldError>>> {
        let items = self.required(name, list(max)).unwrap_or_default();
        let mut objects = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            let path = self.full_path(&format!("{name}/{at}"));
            let Value::Object(values) = item else {
                objects.push(Err(vec![FieldError::new(&path, "must be an object")]));
                continue;
            };
            // The names that are repeated in this object.
            let below = FieldError::new(&format!("{path}/"), "").pointer;
            let errors = self.errors.extract_if(.., |error| error.pointer.starts_with(&below)).collect();
            let mut fields = Self { path, values, errors };
            let object = read(&mut fields);
            let errors = fields.all_errors();
            objects.push(object.filter(|_| errors.is_empty()).ok_or(errors));
        }
        objects
    }

    /// Like [`each_object`](Self::each_object); `None` if the list is not there.
    pub fn each_object_if_any<T>(
        &mut self,
        name: &str,
        max: usize,
        read: impl FnMut(&mut Fields) -> Option<T>,
    ) -> Option<Vec<Result<T, Vec<FieldError>>>> {
        if self.has(name) {
            return Some(self.each_object(name, max, read));
        }
        self.values.remove(name);
        None
    }

    /// Takes a list of strings that must be there. Empty if the list has an error.
    pub fn strings(&mut self, name: &str, max: usize) -> Vec<String> {
        let items = self.required(name, list(max)).unwrap_or_default();
        let mut strings = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            match item {
                Value::String(text) => strings.push(text),
                _ => self.fail(&format!("{name}/{at}"), "must be a string"),
            }
        }
        strings
    }

    /// Takes the field `scopes`, a list of words, as one text with a space between two. `null` clears it.
    pub fn scopes(&mut self) -> Option<String> {
        let items = self.clearable("scopes", list(rules::MAX_SCOPES))?.unwrap_or_default();
        let mut words = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(word) => words.push(word),
                None => self.fail(&format!("scopes/{at}"), "must be a string"),
            }
        }
        if words.len() < items.len() {
            return None;
        }
        match rules::scopes(words) {
            Ok(scopes) => Some(scopes),
            Err((at, detail)) => {
                let name = at.map_or_else(|| "scopes".to_owned(), |at| format!("scopes/{at}"));
                self.fail(&name, detail);
                None
            }
        }
    }

    /// Adds an error of a field.
    pub fn fail(&mut self, name: &str, detail: impl Into<String>) {
        let path = self.full_path(name);
        self.errors.push(FieldError::new(&path, detail));
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with all errors, unknown fields included.
    pub fn finish(self) -> Result<(), Problem> {
        let errors = self.all_errors();
        if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
    }

    /// Ends the reading and returns a value that depends on required fields.
    ///
    /// # Errors
    /// 422 as [`finish`](Self::finish).
    pub fn finish_with<T>(self, value: Option<T>) -> Result<T, Problem> {
        self.finish()?;
        // Not reached: a required field that is absent is an error.
        value.ok_or_else(|| Problem::fields(Vec::new()))
    }

    fn all_errors(mut self) -> Vec<FieldError> {
        for name in std::mem::take(&mut self.values).keys() {
            self.fail(&escaped(name), "is unknown");
        }
        self.errors
    }

    fn take<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        read(self.values.remove(name)?).map_err(|detail| self.fail(name, detail)).ok()
    }

    fn full_path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

/// Whether the only fault is a number that no double can hold, such as `1e400`. serde_json has no error code for it.
fn is_out_of_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::entropy::Entropy;
    use crate::model::field_rules as rules;
    use crate::request::request_id::RequestId;
    use crate::server::admin::input::field_types::{boolean, integer, text};

    fn pointers(problem: Problem) -> Vec<String> {
        let request_id = RequestId::made(&Entropy::seeded(1));
        let body = problem.response(&request_id).into_body();
        let bytes = collect(body);
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        json["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
    }

    fn collect(body: crate::server::transport::body::Body) -> bytes::Bytes {
        use http_body_util::BodyExt;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(body.collect()).unwrap().to_bytes()
    }

    #[test]
    fn all_bad_fields_are_reported_at_once() {
        let body = br##"{"a": 1, "n": 0, "f": "yes", "l": [{"x": "\n"}, 3], "odd/~#": 1}"##;
        let mut fields = Fields::of_json(body).unwrap();
        assert_eq!(fields.required("a", text(rules::user)), None);
        assert_eq!(fields.required("b", text(rules::user)), None);
        assert_eq!(fields.optional("n", integer(1..=5)), None);
        assert_eq!(fields.optional("f", boolean), None);
        assert!(fields.objects("l", 2, |f| f.required("x", text(rules::object_id))).is_empty());
        assert_eq!(
            pointers(fields.finish().unwrap_err()),
            ["#/a", "#/b", "#/n", "#/f", "#/l/0/x", "#/l/1", "#/odd~1~0%23"]
        );
    }

    #[test]
    fn a_repeated_name_is_a_bad_field() {
        let body = br#"{"a": "x", "a": null, "l": [{"x": "y", "x": "y"}], "odd": 1, "odd": 2}"#;
        let mut fields = Fields::of_json(body).unwrap();
        assert_eq!(fields.optional("a", boolean), None);
        fields.objects("l", 2, |f| f.required("x", text(rules::object_id)));
        assert_eq!(pointers(fields.finish().unwrap_err()), ["#/a", "#/l/0/x", "#/odd", "#/odd"]);
    }

    #[test]
    fn a_body_that_is_not_an_object_is_one_error() {
        for body in ["[]", "null", "\"x\"", "1"] {
            let problem = Fields::of_json(body.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(pointers(problem), ["#"], "{body}");
        }
    }

    #[test]
    fn a_number_beyond_double_is_a_bad_field() {
        for body in [r#"{"a": 1e400}"#, r#"{"a": [-1e400]}"#, r#"{"a": 1e400, "user_agent": "x"}"#] {
            let problem = Fields::of_json(body.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(pointers(problem), ["#"], "{body}");
        }
    }

    #[test]
    fn bad_items_of_a_list_are_named() {
        let mut fields =
            Fields::of_json(br#"{"a": ["x", ""], "b": ["x", 1, null], "c": ["x", "y"], "d": "x"}"#).unwrap();
        assert_eq!(fields.strings("a", 2), ["x", ""]);
        fields.strings("b", 3);
        fields.strings("c", 1);
        fields.strings("d", 1);
        fields.strings("e", 1);
        assert_eq!(pointers(fields.finish().unwrap_err()), ["#/b/1", "#/b/2", "#/c", "#/d", "#/e"]);
    }

    #[test]
    fn null_counts_as_absent_or_clears() {
        let mut fields = Fields::of_json(br#"{"a": null, "b": null, "c": "x"}"#).unwrap();
        assert_eq!(fields.optional("a", boolean), None);
        assert_eq!(fields.clearable("b", text(rules::user)), Some(None));
        assert_eq!(fields.clearable("c", text(rules::user)), Some(Some("x".into())));
        assert_eq!(fields.clearable("d", text(rules::user)), None);
        assert!(fields.finish().is_ok());
    }

    #[test]
    fn a_repeated_or_unknown_parameter_is_a_bad_field() {
        let mut fields = Fields::of_query(Some("limit=5&limit=6&x=%0A"));
        assert_eq!(fields.optional("limit", text(|_| Ok(()))), Some("6".into()));
        assert_eq!(pointers(fields.finish().unwrap_err()), ["#/limit", "#/x"]);
    }
}
