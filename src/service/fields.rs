//! Checks of the fields that callers give, by the rules of [`field_rules`](crate::model::field_rules).

use super::error::ServiceError;
use crate::model::field_rules as rules;
use crate::model::field_rules::Checked;
use crate::model::token::RelatedObject;

/// Names the field of a value that breaks its rule.
///
/// # Errors
/// `Invalid`.
pub(crate) fn valid<T>(field: &'static str, checked: Result<T, String>) -> Result<T, ServiceError> {
    checked.map_err(|detail| ServiceError::Invalid { field, detail })
}

/// Checks an optional value by its rule.
///
/// # Errors
/// `Invalid`.
pub(crate) fn valid_if_some<T: ?Sized>(
    field: &'static str,
    value: Option<&T>,
    rule: impl FnOnce(&T) -> Checked,
) -> Result<(), ServiceError> {
    value.map_or(Ok(()), |value| valid(field, rule(value)))
}

/// Checks the names of a related object.
///
/// # Errors
/// `Invalid`.
pub(crate) fn check_object(object: &RelatedObject) -> Result<(), ServiceError> {
    valid("content_type", rules::content_type(&object.content_type))?;
    valid("object_id", rules::object_id(&object.object_id))
}
