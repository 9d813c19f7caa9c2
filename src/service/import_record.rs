//! A record of an export, and the token that it becomes.

use std::sync::Arc;

use super::core::Service;
use super::error::ServiceError;
use super::fields::valid;
use super::new_token::NewToken;
use crate::foreign::exported::digest_by_forms;
use crate::foreign::{ForeignDigest, ForeignForm, Scheme, SourceDigest};
use crate::model::field_rules as rules;
use crate::model::import::NewImport;
use crate::values::SecretString;

/// How far a time of an export may be ahead of this node: the clocks of two machines differ. It counts as now.
const CLOCK_TOLERANCE_MS: u64 = 5000;

/// A token string as an export has it.
#[derive(Clone, Debug)]
pub enum ExportedString {
    /// The digest that the former system stores.
    Digest(SourceDigest),
    /// The string itself, or the part that the former system knows as its token.
    Plain(SecretString),
}

/// A session of another system, as its export has it.
#[derive(Clone, Debug)]
pub struct ImportRecord {
    /// The scheme of the token string.
    pub scheme: Scheme,
    /// The token string.
    pub string: ExportedString,
    /// The fields of the token. Its `expiration` counts only if `expiration` says so.
    pub new: NewToken,
    /// Whether the idle rule of [`NewToken::expiration`] applies; `None` if the export does not say.
    pub expiration: Option<bool>,
    /// The login; `None` for the last access, or now.
    pub created_at_ms: Option<u64>,
    /// The last access in the former system; `None` for the login.
    pub last_access_ms: Option<u64>,
    /// The latest end.
    pub expires_at_ms: Option<u64>,
}

impl Service {
    /// Makes the token of a record. The import counts as an access, so that the move logs no user out, but the times
    /// that are shown come from the export.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn import_of(
        &self,
        record: ImportRecord,
        forms: &[ForeignForm],
        now_ms: u64,
    ) -> Result<NewImport, ServiceError> {
        let times = [("created_at", record.created_at_ms), ("last_access", record.last_access_ms)];
        let (created_at_ms, last_access_ms) = past_times(times, now_ms)?;
        valid("user", rules::user(&record.new.user))?;
        record.new.check()?;
        let ends_at_ms = self.latest_end(&record, now_ms)?;
        let new = self.with_life(&record, ends_at_ms, now_ms);
        let source = match record.string {
            ExportedString::Digest(digest) => digest,
            ExportedString::Plain(string) => {
                valid("token", digest_by_forms(record.scheme, string.expose(), forms))?
            }
        };
        let digest = ForeignDigest::of(record.scheme, &source);
        let id = digest.token_id(&new.user);
        let mut token = self.token_of(new, id, digest.secret_hash(), now_ms);
        Arc::make_mut(&mut token.record).created_at_ms = created_at_ms;
        Arc::make_mut(&mut token.details).origin = Some(record.scheme);
        token.last_access_ms = last_access_ms;
        Ok(NewImport { token, digest })
    }

    /// Returns the time beyond which nothing keeps the token.
    fn latest_end(&self, record: &ImportRecord, now_ms: u64) -> Result<u64, ServiceError> {
        let given_ms = record.expires_at_ms.unwrap_or(u64::MAX);
        if given_ms <= now_ms {
            return invalid("expires_at", "is past");
        }
        let lifetime_ms = record.new.lifetime_ms.unwrap_or(u64::MAX).min(self.policy.import_lifetime_ms);
        Ok(given_ms.min(now_ms.saturating_add(lifetime_ms)))
    }

    /// Gives the token its life. With `expiration` or an idle time, the idle rule applies; a token with an end alone lives
    /// until then, used or not; a token with neither is a preserved token.
    fn with_life(&self, record: &ImportRecord, ends_at_ms: u64, now_ms: u64) -> NewToken {
        let left_ms = ends_at_ms - now_ms;
        let has_end_alone =
            record.expires_at_ms.is_some() && record.expiration.is_none() && record.new.idle_ms.is_none();
        NewToken {
            expiration: record.expiration.unwrap_or(record.new.idle_ms.is_some()),
            idle_ms: if has_end_alone { Some(left_ms) } else { record.new.idle_ms },
            lifetime_ms: Some(left_ms),
            ..record.new.clone()
        }
    }
}

/// Returns the first and the last time of a record, by the names of their fields. If only one is given, it is both; without
/// any, both are now.
pub(crate) fn past_times(
    times: [(&'static str, Option<u64>); 2],
    now_ms: u64,
) -> Result<(u64, u64), ServiceError> {
    for (field, time_ms) in times {
        if time_ms.is_some_and(|time_ms| time_ms > now_ms + CLOCK_TOLERANCE_MS) {
            return invalid(field, "is in the future");
        }
    }
    let [(first, first_ms), (last, last_ms)] = times;
    let (first_ms, last_ms) =
        (first_ms.or(last_ms).unwrap_or(now_ms), last_ms.or(first_ms).unwrap_or(now_ms));
    if first_ms > last_ms {
        return invalid(first, &format!("is after {last}"));
    }
    // Some systems write the first moment of 1970 for no time. In a user's index, it would not count as an access.
    Ok((first_ms.min(now_ms).max(1), last_ms.min(now_ms).max(1)))
}

fn invalid<T>(field: &'static str, detail: &str) -> Result<T, ServiceError> {
    Err(ServiceError::Invalid { field, detail: detail.into() })
}
