//! The values of the placeholders in a route's pattern, such as `{id}`.

use percent_encoding::percent_decode_str;

use super::input::Fields;
use super::problem::Problem;
use crate::logging::audit::AuditEntry;
use crate::model::cutoff::CutoffName;
use crate::model::field_rules as rules;
use crate::model::token::RelatedObject;
use crate::token_string::TokenId;

/// The values in a path. A text may still break the rules of its field: the getter adds that to the errors of the other
/// fields, so that all are reported at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PathParams {
    id: Option<TokenId>,
    user: Option<String>,
    uuid: Option<String>,
    content_type: Option<String>,
    object_id: Option<String>,
    cutoff: Option<String>,
}

impl PathParams {
    /// Sets the placeholder of this name. Returns whether there is such a placeholder. A text that no record can have as its
    /// name sets nothing: the getter then answers 404, after the credentials were checked.
    pub fn set(&mut self, name: &str, segment: &str) -> bool {
        match name {
            "id" => self.id = decode(segment).and_then(|id| TokenId::parse(&id)),
            "user" => self.user = decode(segment),
            "uuid" => self.uuid = decode(segment).and_then(normalized_uuid),
            "content_type" => self.content_type = decode(segment),
            "object_id" => self.object_id = decode(segment),
            "cutoff" => self.cutoff = decode(segment),
            _ => return false,
        }
        true
    }

    /// Notes in the audit entry the user, token or object that the path names.
    pub fn tell(&self, entry: &mut AuditEntry) {
        entry.token = self.id;
        entry.user.clone_from(&self.user);
        entry.device.clone_from(&self.uuid);
        entry.cutoff.clone_from(&self.cutoff);
        let object = self.content_type.clone().zip(self.object_id.clone());
        entry.object = object.map(|(content_type, object_id)| RelatedObject { content_type, object_id });
    }

    /// The token id.
    ///
    /// # Errors
    /// 404 if the path names none; the same for the other getters.
    pub fn id(&self) -> Result<TokenId, Problem> {
        self.id.ok_or_else(Problem::no_such_record)
    }

    /// The user.
    pub fn user(&mut self, fields: &mut Fields) -> Result<String, Problem> {
        checked("user", self.user.take(), rules::user, fields)
    }

    /// The uuid of a device key, normalized.
    pub fn uuid(&mut self, fields: &mut Fields) -> Result<String, Problem> {
        checked("uuid", self.uuid.take(), |uuid| rules::device_uuid(uuid).map(drop), fields)
    }

    /// The name of a cut-off. A bad name is an error of the field `name`.
    pub fn cutoff(&self, fields: &mut Fields) -> Result<Option<CutoffName>, Problem> {
        let name = self.cutoff.as_deref().ok_or_else(Problem::no_such_record)?;
        Ok(CutoffName::parse(name).map_err(|detail| fields.fail("name", detail)).ok())
    }

    /// The related object.
    pub fn object(&mut self, fields: &mut Fields) -> Result<RelatedObject, Problem> {
        Ok(RelatedObject {
            content_type: checked("content_type", self.content_type.take(), rules::content_type, fields)?,
            object_id: checked("object_id", self.object_id.take(), rules::object_id, fields)?,
        })
    }
}

fn checked(
    name: &str,
    value: Option<String>,
    rule: impl FnOnce(&str) -> rules::Checked,
    fields: &mut Fields,
) -> Result<String, Problem> {
    let value = value.ok_or_else(Problem::no_such_record)?;
    if let Err(detail) = rule(&value) {
        fields.fail(name, detail);
    }
    Ok(value)
}

/// Decodes a path segment. Segments are split before they are decoded, so an encoded slash is part of the text.
fn decode(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(String::from)
}

/// Normalizes a uuid as the store keeps it. A dot segment stays, and the call refuses it by name: its client may have meant
/// another path.
fn normalized_uuid(text: String) -> Option<String> {
    if rules::is_dot_segment(&text) { Some(text) } else { rules::device_uuid(&text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_percent_encoded() {
        let id = |segment: &str| {
            let mut params = PathParams::default();
            assert!(params.set("id", segment));
            params.id
        };
        assert!(id("jE0fuKh0wekXwO7v").is_some());
        assert_eq!(id("%6AE0fuKh0wek%58wO7v"), id("jE0fuKh0wekXwO7v"));
        assert_eq!(id("jE0fuKh0wekXwO7%2F"), None);
    }

    #[test]
    fn a_uuid_is_normalized_and_a_dot_segment_is_left_to_the_call() {
        let uuid = |segment: &str| {
            let mut params = PathParams::default();
            assert!(params.set("uuid", segment));
            params.uuid
        };
        for segment in ["01234567-89AB-cdef-0123-456789abcdef", "0123456789abcdef0123456789ABCDEF"] {
            assert_eq!(uuid(segment).as_deref(), Some("0123456789abcdef0123456789abcdef"));
        }
        assert_eq!(uuid("%2E%2e").as_deref(), Some(".."));
        assert_eq!((uuid("-"), uuid("")), (None, None));
    }

    #[test]
    fn a_value_that_breaks_its_rule_is_a_bad_field() {
        let mut params = PathParams::default();
        assert!(params.set("user", "%2e"));
        let mut fields = Fields::of_query(None);
        assert_eq!(params.user(&mut fields).unwrap(), ".");
        assert!(fields.finish().is_err());
    }
}
