//! Many token strings at once, for a caller that is trusted and wants to know all about each.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{Access, Validator};
use crate::secret::{CheckKeys, Claim, Kind, Presented};
use crate::service::no_check_keys;
use crate::store::StoreError;
use crate::token::{Credential, Details, TokenView, Verdict};

/// A token of a batch that is valid now, shown while its record is at hand.
#[derive(Clone, Copy)]
pub struct BatchToken<'a> {
    /// What validation knows of it.
    pub credential: &'a Arc<Credential>,
    /// The rest.
    pub details: &'a Arc<Details>,
    /// The last access known here; the time of issue when there is none.
    pub last_access_ms: u64,
}

/// A token string that was not judged in the first pass.
struct Later {
    at: usize,
    presented: Presented,
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
    ) -> Result<Vec<Option<TokenView>>, StoreError> {
        let mut views = vec![None; wires.len()];
        let keep = |at: usize, token: Option<BatchToken<'_>>| {
            views[at] = token.map(|token| TokenView {
                credential: token.credential.clone(),
                details: token.details.clone(),
                stored_access_ms: token.last_access_ms,
            });
        };
        self.in_time(self.show_batch(wires, access, keep)).await?;
        Ok(views)
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
        mut show: impl FnMut(usize, Option<BatchToken<'_>>),
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
        show: &mut impl FnMut(usize, Option<BatchToken<'_>>),
    ) -> Result<Vec<Later>, StoreError> {
        let keys = self.service.check_keys();
        let Some(keys) = keys.as_deref() else {
            self.counters.unavailable.inc_by(wires.len() as u64);
            return Err(no_check_keys());
        };
        let now_ms = self.service.clock().now_ms();
        let mut claims = Vec::with_capacity(wires.len());
        for (at, wire) in wires.iter().enumerate() {
            match Claim::read(Kind::Token, wire.as_ref()) {
                Some(claim) => claims.push((at, claim)),
                None => {
                    self.counters.forged.inc();
                    show(at, None);
                }
            }
        }
        let ids: Vec<_> = claims.iter().map(|(_, claim)| claim.id()).collect();
        let (mut later, mut valid) = (Vec::new(), 0);
        self.reader.look_each(&ids, |number, known| {
            let (at, claim) = claims[number];
            let show = |token: Option<BatchToken<'_>>| {
                valid += u64::from(token.is_some());
                show(at, token);
            };
            let left = self.show_if_known(claim, known, keys, access, now_ms, show);
            later.extend(left.map(|presented| Later { at, presented }));
        });
        self.counters.valid.inc_by(valid);
        Ok(later)
    }

    /// Gives what it presents when that must be looked up.
    fn show_if_known(
        &self,
        claim: Claim,
        known: Option<Option<&Arc<Credential>>>,
        keys: &CheckKeys,
        access: Access,
        now_ms: u64,
        show: impl FnOnce(Option<BatchToken<'_>>),
    ) -> Option<Presented> {
        let Some(presented) = claim.verify_known(keys, known.flatten()) else {
            self.counters.forged.inc();
            show(None);
            return None;
        };
        // Unknown, so it must be read.
        let Some(record) = known else { return Some(presented) };
        match record.map(|record| (record, record.judge(&presented.hash, None, now_ms))) {
            Some((record, Verdict::Admitted)) => {
                let Some(details) = record.details.get() else { return Some(presented) };
                if access == Access::Exempt && record.accesses.latest_ms() == 0 {
                    // The store knows better when it was last accessed.
                    return Some(presented);
                }
                self.note_access(record, access, now_ms);
                let last_access_ms = record.accesses.latest_ms();
                show(Some(BatchToken { credential: record, details, last_access_ms }));
                None
            }
            Some((_, Verdict::WrongSecret)) => Some(presented),
            Some((_, Verdict::Pending)) => {
                self.counters.pending.inc();
                show(None);
                None
            }
            _ => {
                self.counters.refused.inc();
                show(None);
                None
            }
        }
    }

    fn note_access(&self, record: &Arc<Credential>, access: Access, now_ms: u64) {
        if access == Access::Recorded {
            self.service.record_access(record, now_ms, true);
        }
    }

    /// The second pass: what must be read.
    async fn show_read(
        &self,
        later: &[Later],
        access: Access,
        show: &mut impl FnMut(usize, Option<BatchToken<'_>>),
    ) -> Result<(), StoreError> {
        let mut views = self.views(later).await?;
        self.read_anew(later, &mut views).await?;
        // Read after the look-ups: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        for (view, later) in views.iter_mut().zip(later) {
            let judge = |view: &TokenView| view.credential.judge(&later.presented.hash, None, now_ms);
            match (view.as_ref().map(judge), view.as_ref()) {
                (Some(Verdict::Admitted), Some(view)) => {
                    self.counters.valid.inc();
                    self.note_access(&view.credential, access, now_ms);
                    continue;
                }
                (Some(Verdict::Pending), _) => self.counters.pending.inc(),
                _ => self.counters.refused.inc(),
            };
            *view = None;
        }
        if access == Access::Exempt {
            let unknown = views.iter().flatten().filter(|view| !view.knows_an_access());
            try_join_all(unknown.map(|view| self.reader.learn_last_access(&view.credential))).await?;
        }
        for (view, later) in views.iter().zip(later) {
            let token = view.as_ref().map(|view| BatchToken {
                credential: &view.credential,
                details: &view.details,
                last_access_ms: view.last_access_ms(),
            });
            show(later.at, token);
        }
        Ok(())
    }

    /// The tokens of these ids, whoever holds them.
    async fn views(&self, later: &[Later]) -> Result<Vec<Option<TokenView>>, StoreError> {
        let view = async |later: &Later| match self.reader.known_view(later.presented.id) {
            Some(view) => Ok(view),
            None => self.reader.view(later.presented.id).await,
        };
        try_join_all(later.iter().map(view)).await
    }

    /// Reads those again whose secret is another one than the record's: what was known may be older than the
    /// rotation that made it the right one.
    async fn read_anew(&self, later: &[Later], views: &mut [Option<TokenView>]) -> Result<(), StoreError> {
        for (view, Later { presented, .. }) in views.iter_mut().zip(later) {
            let Some(found) = &view else { continue };
            let now_ms = self.service.clock().now_ms();
            if found.credential.judge(&presented.hash, None, now_ms) != Verdict::WrongSecret {
                continue;
            }
            let fresh = self.reader.fresh_credential(presented.id).await?;
            let is_wrong =
                fresh.is_some_and(|c| c.judge(&presented.hash, None, now_ms) == Verdict::WrongSecret);
            if is_wrong {
                self.service.secret_reused(presented.id, &presented.hash).await?;
            }
            *view = self.reader.view(presented.id).await?;
        }
        Ok(())
    }
}
