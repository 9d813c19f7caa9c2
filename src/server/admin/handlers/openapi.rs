//! `GET /openapi.json` and `GET /openapi-validation.json`: the OpenAPI 3.1 documents, one for each plane.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::server::transport::body::Body;
use crate::server::transport::response::with_body;

/// The calls of the admin plane. Tests compare the document with the table of routes and with real answers.
pub const ADMIN: &str = include_str!("../../../../docs/openapi.json");
/// The calls of the validation plane. The admin plane serves the document, because everybody can reach the other one.
pub const VALIDATION: &str = include_str!("../../../../docs/openapi-validation.json");

/// Builds the answer with a document. It needs no API key: the documents are public anyway.
pub fn answer(document: &'static str) -> Response<Body> {
    let mut response = with_body(StatusCode::OK, document);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::foreign::Scheme;
    use crate::model::event::EventKind;
    use crate::model::revoke_reason::RevokeReason;

    fn documents() -> [Value; 2] {
        [ADMIN, VALIDATION].map(|document| serde_json::from_str(document).unwrap())
    }

    fn calls(document: &Value) -> impl Iterator<Item = &Value> {
        document["paths"].as_object().unwrap().values().flat_map(|calls| calls.as_object().unwrap().values())
    }

    /// Lists the objects of a schema, a response or a body, with all that they refer to.
    fn objects<'a>(document: &'a Value, root: &'a Value) -> Vec<&'a serde_json::Map<String, Value>> {
        let (mut waiting, mut seen, mut found) = (vec![root], BTreeSet::new(), Vec::new());
        while let Some(value) = waiting.pop() {
            waiting.extend(value.as_array().into_iter().flatten());
            let Some(object) = value.as_object() else { continue };
            found.push(object);
            waiting.extend(object.values());
            let reference = object.get("$ref").and_then(|reference| reference.as_str()?.strip_prefix('#'));
            if let Some(pointer) = reference.filter(|pointer| seen.insert(pointer.to_string())) {
                waiting.push(document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")));
            }
        }
        found
    }

    /// Generators name their functions and modules by these.
    #[test]
    fn every_call_has_a_name_a_tag_and_a_description() {
        for document in documents() {
            let mut names = BTreeSet::new();
            for call in calls(&document) {
                let name = call["operationId"].as_str().unwrap_or_else(|| panic!("{call}"));
                assert!(names.insert(name), "{name}");
                assert!(call["description"].is_string(), "{name}");
                let [tag] = &call["tags"].as_array().unwrap()[..] else { panic!("{name}: one tag") };
                let tags = document["tags"].as_array().unwrap();
                assert!(tags.iter().any(|described| described["name"] == *tag), "{name}: {tag}");
            }
        }
    }

    /// A later version may add fields and values, and clients generated from this one must take them.
    #[test]
    fn responses_are_open() {
        for document in documents() {
            for object in calls(&document).flat_map(|call| objects(&document, &call["responses"])) {
                assert_ne!(object.get("additionalProperties"), Some(&json!(false)), "{object:?}");
                assert!(object.get("enum").is_none(), "{object:?}");
            }
        }
    }

    /// Generators make a field with a default required. Refused fields are found earlier if the schema is closed.
    #[test]
    fn requests_are_closed_and_have_no_defaults() {
        let document = &documents()[0];
        for body in calls(document).filter_map(|call| call["requestBody"]["content"].get("application/json"))
        {
            for object in objects(document, body) {
                assert!(object.get("default").is_none(), "{object:?}");
                let is_closed = object.get("additionalProperties") == Some(&json!(false));
                assert!(is_closed || object.get("type") != Some(&json!("object")), "{object:?}");
            }
        }
    }

    #[test]
    fn known_values_are_listed() {
        let schemas = &documents()[0]["components"]["schemas"];
        let known = |name: &str| &schemas[name]["x-extensible-enum"];
        assert_eq!(known("EventType"), &json!(EventKind::ALL.map(EventKind::name)));
        assert_eq!(known("EventReason"), &json!(RevokeReason::ALL.map(RevokeReason::name)));
        assert_eq!(known("Origin"), &json!(Scheme::ALL.map(Scheme::name)));
    }
}
