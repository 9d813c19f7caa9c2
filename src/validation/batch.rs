//! Batches: many token strings at once, each shown as a whole, for a trusted caller.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::counters::{JudgedBy, ValidationResult};
use super::identify::client_of;
use super::judgement::{Access, Identified};
use super::validator::Validator;
use crate::foreign::{ForeignDigest, FormSet};
use crate::logging::audit::AuditedRequest;
use crate::model::token::{RecordVerdict, Token, TokenRecord, TokenRef};
use crate::service::core::no_token_keys;
use crate::store::StoreError;
use crate::store::cache::near_cache::Looked;
use crate::store::record_read::RecordRead;
use crate::token_string::{KnownSecret, TokenId, TokenKeys, UnverifiedToken, VerifiedToken};

/// Foreign strings whose aliases are looked up at once. Aliases that are found leave the budget to the next ones.
const LOOK_UPS_AT_ONCE: usize = 64;

/// A token string left to the second pass.
struct Later {
    at: usize,
    verified: VerifiedToken,
}

/// The strings that the first pass left to be read.
#[derive(Default)]
struct LeftOver {
    tokens: Vec<Later>,
    /// The foreign strings of which it is not known whose they are, by their places.
    aliases: Vec<(usize, Box<[ForeignDigest]>)>,
}

/// A string whose id is known.
enum Claim {
    Native(UnverifiedToken),
    Foreign(VerifiedToken),
}

/// The outcome of the first pass for a token string.
enum FirstPass {
    /// Judged by the cached record.
    Shown,
    /// Refused before the record was looked at: no key verifies the string.
    Unverified,
    /// Left to the second pass.
    Left(VerifiedToken),
}

impl Claim {
    fn id(&self) -> TokenId {
        match self {
            Self::Native(unverified) => unverified.id(),
            Self::Foreign(verified) => verified.id,
        }
    }

    /// Verifies a native string; an alias has verified a foreign one.
    fn verify(&self, keys: &TokenKeys, known: Option<KnownSecret<'_>>) -> Option<VerifiedToken> {
        match self {
            Self::Native(unverified) => unverified.verify_known(keys, known),
            Self::Foreign(verified) => Some(*verified),
        }
    }
}

impl Validator {
    /// Returns the tokens of these strings in their order, `None` for each that is not valid now. The rules of
    /// [`Validator::validate`] hold, except that every transport is allowed: the caller is a trusted back end.
    ///
    /// Cached tokens are not read; the others are read together.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`: nothing is known of any string.
    pub async fn validate_batch(
        &self,
        token_strings: &[impl AsRef<[u8]>],
        access: Access,
    ) -> Result<Vec<Option<Token>>, StoreError> {
        let mut tokens = vec![None; token_strings.len()];
        let keep = |at: usize, token: Option<TokenRef<'_>>| tokens[at] = token.map(Token::from);
        self.in_time(self.show_batch(token_strings, access, None, keep)).await?;
        Ok(tokens)
    }

    /// Calls `show` with the place and the token of each string: first the cached ones in their order, then the others.
    /// `show` runs under the cache's lock: keep it short and do not call the store. `request` carried the strings, if it is
    /// known.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`: discard what was shown.
    pub async fn show_batch(
        &self,
        token_strings: &[impl AsRef<[u8]>],
        access: Access,
        request: Option<&AuditedRequest>,
        mut show: impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> Result<(), StoreError> {
        let left = self.show_known(token_strings, access, &mut show)?;
        let count = left.tokens.len() + left.aliases.len();
        if count == 0 {
            return Ok(());
        }
        let outcome = self.show_left_over(left, access, request, &mut show).await;
        if outcome.is_err() {
            self.counters.add_batched(ValidationResult::Unavailable, JudgedBy::Redis, count as u64);
        }
        outcome
    }

    /// The second pass: looks up whose the foreign strings are, reads the tokens, and shows them.
    async fn show_left_over(
        &self,
        left: LeftOver,
        access: Access,
        request: Option<&AuditedRequest>,
        show: &mut impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> Result<(), StoreError> {
        let LeftOver { tokens: mut later, aliases } = left;
        let mut unknown = Vec::new();
        for some in aliases.chunks(LOOK_UPS_AT_ONCE) {
            let resolve =
                |(_, digests): &(usize, Box<[_]>)| self.resolve(digests.clone(), client_of(request));
            let resolved = try_join_all(some.iter().map(resolve)).await?;
            for ((at, _), verified) in some.iter().zip(resolved) {
                match verified {
                    Some(verified) => later.push(Later { at: *at, verified }),
                    None => unknown.push(*at),
                }
            }
        }
        self.show_read(&later, access, request, show).await?;
        self.counters.add_batched(ValidationResult::Refused, JudgedBy::Redis, unknown.len() as u64);
        unknown.into_iter().for_each(|at| show(at, None));
        Ok(())
    }

    /// The first pass: shows what can be judged without waiting, and returns the rest.
    fn show_known(
        &self,
        token_strings: &[impl AsRef<[u8]>],
        access: Access,
        show: &mut impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> Result<LeftOver, StoreError> {
        let keys = self.service.token_keys();
        let Some(keys) = keys.as_deref() else {
            self.count_known(ValidationResult::Unavailable, token_strings.len() as u64);
            return Err(no_token_keys());
        };
        let now_ms = self.service.clock().now_ms();
        let (claims, mut left) = self.sort_out(token_strings, now_ms, show);
        let ids: Vec<_> = claims.iter().map(|(_, claim)| claim.id()).collect();
        let (mut valid, mut forged) = (0, 0);
        self.reader.look_each(&ids, |number, known| {
            let (at, claim) = &claims[number];
            let at = *at;
            let show = |token: Option<TokenRef<'_>>| {
                valid += u64::from(token.is_some());
                show(at, token);
            };
            match self.show_if_known(claim, known, keys, access, now_ms, show) {
                FirstPass::Shown => Looked::Hit(()),
                FirstPass::Unverified => {
                    forged += 1;
                    Looked::NoHit(())
                }
                FirstPass::Left(verified) => {
                    left.tokens.push(Later { at, verified });
                    Looked::NoHit(())
                }
            }
        });
        self.count_known(ValidationResult::Valid, valid);
        if forged > 0 && keys.may_lack_one() {
            self.count_known(ValidationResult::Unavailable, forged);
            return Err(no_token_keys());
        }
        self.count_known(ValidationResult::Forged, forged);
        Ok(left)
    }

    /// Finds what each string claims. Shows the strings that name no token, and leaves the strings of unknown aliases over.
    fn sort_out(
        &self,
        token_strings: &[impl AsRef<[u8]>],
        now_ms: u64,
        show: &mut impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> (Vec<(usize, Claim)>, LeftOver) {
        let mut left = LeftOver::default();
        let mut claims = Vec::with_capacity(token_strings.len());
        for (at, token_string) in token_strings.iter().enumerate() {
            let refused = match self.identify(token_string.as_ref(), FormSet::ALL, now_ms) {
                Identified::Native(unverified) => {
                    claims.push((at, Claim::Native(unverified)));
                    continue;
                }
                Identified::Foreign(verified) => {
                    claims.push((at, Claim::Foreign(verified)));
                    continue;
                }
                Identified::Unresolved(digests) => {
                    left.aliases.push((at, digests));
                    continue;
                }
                Identified::Unknown => ValidationResult::Refused,
                Identified::Malformed => ValidationResult::Forged,
            };
            self.count_known(refused, 1);
            show(at, None);
        }
        (claims, left)
    }

    /// Judges one string by the cached record, if its details are cached, too.
    fn show_if_known(
        &self,
        claim: &Claim,
        known: Option<Option<&Arc<TokenRecord>>>,
        keys: &TokenKeys,
        access: Access,
        now_ms: u64,
        show: impl FnOnce(Option<TokenRef<'_>>),
    ) -> FirstPass {
        let known_secret = known.flatten().map(|record| record.known_secret());
        let Some(verified) = claim.verify(keys, known_secret) else {
            show(None);
            return FirstPass::Unverified;
        };
        let Some(record) = known else { return FirstPass::Left(verified) };
        match (self.verdict(&verified, record, None, now_ms), record) {
            (RecordVerdict::Admitted, Some(record)) => {
                let Some(details) = record.details.get() else { return FirstPass::Left(verified) };
                if access == Access::Exempt && record.accesses.latest_ms() == 0 {
                    // Only the store knows the last access.
                    return FirstPass::Left(verified);
                }
                self.note_access(record, access, now_ms, true);
                let last_access_ms = record.accesses.latest_ms();
                show(Some(TokenRef { record, details, last_access_ms, revoked: None }));
            }
            (RecordVerdict::Pending, _) => {
                self.count_known(ValidationResult::Pending, 1);
                show(None);
            }
            (verdict, record) => {
                if self.missing(verdict, record, &verified).is_some() {
                    return FirstPass::Left(verified);
                }
                self.count_known(ValidationResult::Refused, 1);
                show(None);
            }
        }
        FirstPass::Shown
    }

    /// Counts strings that were judged in the first pass.
    fn count_known(&self, result: ValidationResult, count: u64) {
        self.counters.add_batched(result, JudgedBy::Memory, count);
    }

    fn note_access(&self, record: &Arc<TokenRecord>, access: Access, now_ms: u64, is_kept: bool) {
        if access == Access::Recorded {
            self.service.record_access(record, now_ms, is_kept);
        }
    }

    /// Reads the tokens, and shows them.
    async fn show_read(
        &self,
        later: &[Later],
        access: Access,
        request: Option<&AuditedRequest>,
        show: &mut impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> Result<(), StoreError> {
        let mut tokens = self.read_tokens(later).await?;
        self.read_again(later, request, &mut tokens).await?;
        // The time after the look-ups: a token that expired during them is expired.
        let now_ms = self.service.clock().now_ms();
        let mut results = Vec::with_capacity(later.len());
        for (token, later) in tokens.iter_mut().zip(later) {
            let record = token.as_ref().map(|token| &token.record);
            match (self.verdict(&later.verified, record, None, now_ms), record) {
                (RecordVerdict::Admitted, Some(record)) => {
                    results.push(ValidationResult::Valid);
                    // A copy without another owner is dropped after this call.
                    self.note_access(record, access, now_ms, Arc::strong_count(record) > 1);
                    continue;
                }
                (RecordVerdict::Pending, _) => results.push(ValidationResult::Pending),
                (_, record) => {
                    self.refuse(record)?;
                    results.push(ValidationResult::Refused);
                }
            }
            *token = None;
        }
        if access == Access::Exempt {
            let unknown = tokens.iter().flatten().filter(|token| token.record.accesses.latest_ms() == 0);
            try_join_all(unknown.map(|token| self.reader.learn_last_access(&token.record))).await?;
        }
        // Only now: a batch that fails counts as unavailable as a whole.
        results.iter().for_each(|result| self.counters.add_batched(*result, JudgedBy::Redis, 1));
        for (token, later) in tokens.iter().zip(later) {
            let token = token.as_ref().map(|token| TokenRef {
                last_access_ms: token.last_access_ms.max(token.record.accesses.latest_ms()),
                ..token.into()
            });
            show(later.at, token);
        }
        Ok(())
    }

    /// Returns the active tokens of these ids, whatever their secrets.
    async fn read_tokens(&self, later: &[Later]) -> Result<Vec<Option<Token>>, StoreError> {
        let read = async |later: &Later| match self.reader.known_token(later.verified.id) {
            Some(token) => Ok(token.map(|token| self.renewed_token(token))),
            None => self.read_token(&later.verified).await,
        };
        try_join_all(later.iter().map(read)).await
    }

    /// Reads a token. While the store cannot be asked, returns a cached token that admits the string.
    async fn read_token(&self, verified: &VerifiedToken) -> Result<Option<Token>, StoreError> {
        match self.read_stored_token(verified).await {
            Err(error @ StoreError::Unavailable(_)) => self
                .stale(verified, None, self.service.clock().now_ms())
                .and_then(Token::of_cached)
                .map(Some)
                .ok_or(error),
            outcome => outcome,
        }
    }

    async fn read_stored_token(&self, verified: &VerifiedToken) -> Result<Option<Token>, StoreError> {
        self.service.require_cutoffs().await?;
        let token = self.reader.token(verified.id).await?;
        // The data may have changed during the read.
        self.service.require_cutoffs().await?;
        Ok(token.map(|token| self.renewed_token(token)))
    }

    fn renewed_token(&self, token: Token) -> Token {
        Token { record: self.renewed(token.record, self.service.clock().now_ms()), ..token }
    }

    /// Reads the tokens again whose secret was handed out after their record was read.
    async fn read_again(
        &self,
        later: &[Later],
        request: Option<&AuditedRequest>,
        tokens: &mut [Option<Token>],
    ) -> Result<(), StoreError> {
        let read_again = async |(token, later): (&mut Option<Token>, &Later)| {
            let Some(found) = token.as_ref().map(|token| token.record.clone()) else { return Ok(()) };
            let read = RecordRead { record: Some(found.clone()), is_fresh: false };
            let current = self.record_for(&later.verified, read, request).await?.record;
            if current.is_none_or(|current| !Arc::ptr_eq(&current, &found)) {
                *token = self.read_token(&later.verified).await?;
            }
            Ok(())
        };
        try_join_all(tokens.iter_mut().zip(later).map(read_again)).await?;
        Ok(())
    }
}
