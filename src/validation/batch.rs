//! Many token strings at once, for a caller that is trusted and wants to know all about each.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::validator::{Access, Validator};
use crate::model::token::{RecordVerdict, Token, TokenRecord, TokenRef};
use crate::service::core::no_token_keys;
use crate::store::StoreError;
use crate::store::cache::near_cache::Looked;
use crate::store::record_read::RecordRead;
use crate::token_string::{Claim, Kind, Presented, TokenKeys};

/// A token string that was not judged in the first pass.
struct Later {
    at: usize,
    presented: Presented,
}

/// What the first pass came to.
enum First {
    /// It was judged by what is known.
    Shown,
    /// It was refused before the record was looked at: no key verifies it.
    Unverified,
    /// The rest is the second pass's.
    Left(Presented),
}

impl Validator {
    /// The tokens of these strings in their order, `None` for each that is not valid now. The rules are those of
    /// [`Validator::validate`], but for the transport: the caller is a trusted back end that found the strings
    /// wherever it did, so a token's `allowed_cookie` and `allowed_header` are not asked.
    ///
    /// Known tokens are not read; the others are, in one go.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`: then nothing is said of any.
    pub async fn validate_batch(
        &self,
        wires: &[impl AsRef<[u8]>],
        access: Access,
    ) -> Result<Vec<Option<Token>>, StoreError> {
        let mut tokens = vec![None; wires.len()];
        let keep = |at: usize, token: Option<TokenRef<'_>>| tokens[at] = token.map(Token::from);
        self.in_time(self.show_batch(wires, access, keep)).await?;
        Ok(tokens)
    }

    /// The same, each token shown to `show` with its place: first those that are known, in their order, then the others.
    /// `show` must be short: the record is held still meanwhile.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`: then what was shown counts for nothing.
    pub async fn show_batch(
        &self,
        wires: &[impl AsRef<[u8]>],
        access: Access,
        mut show: impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> Result<(), StoreError> {
        let later = self.show_known(wires, access, &mut show)?;
        if later.is_empty() {
            return Ok(());
        }
        let outcome = self.show_read(&later, access, &mut show).await;
        if outcome.is_err() {
            self.counters.unavailable.inc_by(later.len() as u64);
        }
        outcome
    }

    /// The first pass: what is known without waiting. Gives the rest.
    fn show_known(
        &self,
        wires: &[impl AsRef<[u8]>],
        access: Access,
        show: &mut impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> Result<Vec<Later>, StoreError> {
        let keys = self.service.token_keys();
        let Some(keys) = keys.as_deref() else {
            self.counters.unavailable.inc_by(wires.len() as u64);
            return Err(no_token_keys());
        };
        let now_ms = self.service.clock().now_ms();
        let mut claims = Vec::with_capacity(wires.len());
        for (at, token_string) in wires.iter().enumerate() {
            match Claim::read(Kind::Token, token_string.as_ref()) {
                Some(claim) => claims.push((at, claim)),
                None => {
                    self.counters.forged.inc();
                    show(at, None);
                }
            }
        }
        let ids: Vec<_> = claims.iter().map(|(_, claim)| claim.id()).collect();
        let (mut later, mut valid, mut unverified) = (Vec::new(), 0, 0);
        self.reader.look_each(&ids, |number, known| {
            let (at, claim) = claims[number];
            let show = |token: Option<TokenRef<'_>>| {
                valid += u64::from(token.is_some());
                show(at, token);
            };
            match self.show_if_known(claim, known, keys, access, now_ms, show) {
                First::Shown => Looked::Hit(()),
                First::Unverified => {
                    unverified += 1;
                    Looked::NoHit(())
                }
                First::Left(presented) => {
                    later.push(Later { at, presented });
                    Looked::NoHit(())
                }
            }
        });
        self.counters.valid.inc_by(valid);
        if unverified > 0 && keys.may_lack_one() {
            self.counters.unavailable.inc_by(unverified);
            return Err(no_token_keys());
        }
        self.counters.forged.inc_by(unverified);
        Ok(later)
    }

    fn show_if_known(
        &self,
        claim: Claim,
        known: Option<Option<&Arc<TokenRecord>>>,
        keys: &TokenKeys,
        access: Access,
        now_ms: u64,
        show: impl FnOnce(Option<TokenRef<'_>>),
    ) -> First {
        let Some(presented) = claim.verify_known(keys, known.flatten().map(|record| record.known_secret()))
        else {
            show(None);
            return First::Unverified;
        };
        // Unknown, so it must be read.
        let Some(record) = known else { return First::Left(presented) };
        let verdict =
            record.map_or(RecordVerdict::Refused, |record| record.judge(&presented.hash, None, now_ms));
        match (verdict, record) {
            (RecordVerdict::Admitted, Some(record)) => {
                let Some(details) = record.details.get() else { return First::Left(presented) };
                if access == Access::Exempt && record.accesses.latest_ms() == 0 {
                    // The store knows better when it was last accessed.
                    return First::Left(presented);
                }
                self.note_access(record, access, now_ms, true);
                let last_access_ms = record.accesses.latest_ms();
                show(Some(TokenRef { record, details, last_access_ms, revoked: None }));
            }
            (RecordVerdict::Pending, _) => {
                self.counters.pending.inc();
                show(None);
            }
            (verdict, record) => {
                if self.missing(verdict, record, &presented.hash).is_some() {
                    return First::Left(presented);
                }
                self.counters.refused.inc();
                show(None);
            }
        }
        First::Shown
    }

    fn note_access(&self, record: &Arc<TokenRecord>, access: Access, now_ms: u64, is_kept: bool) {
        if access == Access::Recorded {
            self.service.record_access(record, now_ms, is_kept);
        }
    }

    /// The second pass: what must be read.
    async fn show_read(
        &self,
        later: &[Later],
        access: Access,
        show: &mut impl FnMut(usize, Option<TokenRef<'_>>),
    ) -> Result<(), StoreError> {
        let mut tokens = self.read_tokens(later).await?;
        self.read_anew(later, &mut tokens).await?;
        // Read after the look-ups: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        for (token, later) in tokens.iter_mut().zip(later) {
            let record = token.as_ref().map(|token| &token.record);
            let verdict = record.map(|record| record.judge(&later.presented.hash, None, now_ms));
            match (verdict, record) {
                (Some(RecordVerdict::Admitted), Some(record)) => {
                    self.counters.valid.inc();
                    // A copy that nobody else holds goes with this call.
                    self.note_access(record, access, now_ms, Arc::strong_count(record) > 1);
                    continue;
                }
                (Some(RecordVerdict::Pending), _) => drop(self.counters.pending.inc()),
                (_, record) => self.refuse(record)?,
            }
            *token = None;
        }
        if access == Access::Exempt {
            let unknown = tokens.iter().flatten().filter(|token| token.record.accesses.latest_ms() == 0);
            try_join_all(unknown.map(|token| self.reader.learn_last_access(&token.record))).await?;
        }
        for (token, later) in tokens.iter().zip(later) {
            let token = token.as_ref().map(|token| TokenRef {
                last_access_ms: token.last_access_ms.max(token.record.accesses.latest_ms()),
                ..token.into()
            });
            show(later.at, token);
        }
        Ok(())
    }

    /// The active tokens of these ids, whoever holds them.
    async fn read_tokens(&self, later: &[Later]) -> Result<Vec<Option<Token>>, StoreError> {
        let read = async |later: &Later| match self.reader.known_token(later.presented.id) {
            Some(token) => Ok(token.map(|token| self.with_earned(token))),
            None => self.read_token(&later.presented).await,
        };
        try_join_all(later.iter().map(read)).await
    }

    /// The token as the store has it. While the store cannot be asked, one that is valid as far as is known, or none.
    async fn read_token(&self, presented: &Presented) -> Result<Option<Token>, StoreError> {
        match self.reader.token(presented.id).await {
            Err(error @ StoreError::Unavailable(_)) => {
                self.stale(presented, None).and_then(Token::of_cached).map(Some).ok_or(error)
            }
            outcome => Ok(outcome?.map(|token| self.with_earned(token))),
        }
    }

    fn with_earned(&self, token: Token) -> Token {
        Token { record: self.renewed(token.record), ..token }
    }

    /// Settles the secrets that do not fit the record found, and finds the tokens anew whose secret was handed out since.
    async fn read_anew(&self, later: &[Later], tokens: &mut [Option<Token>]) -> Result<(), StoreError> {
        let settle = async |(token, later): (&mut Option<Token>, &Later)| {
            let Some(found) = token.as_ref().map(|token| token.record.clone()) else { return Ok(()) };
            let presented = later.presented;
            let read = RecordRead { record: Some(found.clone()), is_fresh: false };
            let settled = self.settle(presented, read).await?;
            if settled.is_none_or(|settled| !Arc::ptr_eq(&settled, &found)) {
                *token = self.read_token(&presented).await?;
            }
            Ok(())
        };
        try_join_all(tokens.iter_mut().zip(later).map(settle)).await?;
        Ok(())
    }
}
