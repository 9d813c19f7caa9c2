//! Finds out the kind of a token string before its record is read. The one place that distinguishes native and foreign
//! strings.

use std::net::IpAddr;

use super::judgement::{Asked, Identified};
use super::validator::Validator;
use crate::foreign::{ForeignDigest, FormSet};
use crate::logging::audit::AuditedRequest;
use crate::store::StoreError;
use crate::token_string::{TokenId, TokenKind, UnverifiedToken, VerifiedToken};

impl Validator {
    /// Tells what a token string is that may have these forms besides the native one. Does not wait. `now_ms` is the time.
    #[inline]
    pub(crate) fn identify(&self, token_string: &[u8], forms: FormSet, now_ms: u64) -> Identified {
        match UnverifiedToken::decode(TokenKind::Session, token_string) {
            Some(unverified) => Identified::Native(unverified),
            None => self.identify_foreign(token_string, forms, now_ms),
        }
    }

    /// If it has several forms, the first one decides whose token is known here to have been imported.
    #[inline(never)]
    fn identify_foreign(&self, token_string: &[u8], forms: FormSet, now_ms: u64) -> Identified {
        let configured = self.service.foreign_forms();
        if forms.is_empty() || configured.is_empty() {
            return Identified::Malformed;
        }
        let (mut unresolved, mut is_foreign) = (Vec::new(), false);
        for digest in configured.digests(token_string, forms, now_ms) {
            is_foreign = true;
            match self.reader.known_alias(&digest, now_ms) {
                Some(Some(id)) => return Identified::Foreign(verified(id, &digest)),
                Some(None) => {}
                // Two forms of one scheme have the same digest.
                None if unresolved.contains(&digest) => {}
                None => unresolved.push(digest),
            }
        }
        match (is_foreign, unresolved.is_empty()) {
            (false, _) => Identified::Malformed,
            (true, true) => Identified::Unknown,
            (true, false) => Identified::Unresolved(unresolved.into()),
        }
    }

    /// Looks up whose token a foreign string is; `None` if it was not imported. `client` sent the string.
    ///
    /// # Errors
    /// `Unavailable`, also if too many unknown strings were looked up; `Corrupt`.
    pub(crate) async fn resolve(
        &self,
        digests: Box<[ForeignDigest]>,
        client: Option<IpAddr>,
    ) -> Result<Option<VerifiedToken>, StoreError> {
        let now_ms = self.service.clock().now_ms();
        let found = self.reader.alias(digests.clone(), client, now_ms).await?;
        Ok(found.and_then(|(place, id)| Some(verified(id, digests.get(place)?))))
    }
}

impl Asked<'_> {
    /// Returns the address of the client that sent the token string, if it is known.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        client_of(self.request)
    }
}

/// Returns the address of the client that sent a request, if it is known.
pub(crate) fn client_of(request: Option<&AuditedRequest>) -> Option<IpAddr> {
    request.and_then(|request| request.address)
}

fn verified(id: TokenId, digest: &ForeignDigest) -> VerifiedToken {
    VerifiedToken { id, secret_hash: digest.secret_hash(), is_foreign: true }
}
