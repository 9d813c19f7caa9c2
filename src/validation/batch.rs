//! Many token strings at once, for a caller that is trusted and wants to know all about each.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::validator::{Access, Validator};
use crate::model::token::record::{Details, TokenRecord, TokenView, Verdict};
use crate::service::core::no_token_keys;
use crate::store::StoreError;
use crate::store::cache::near_cache::Looked;
use crate::store::read::Read;
use crate::token_string::{Claim, Kind, Presented, TokenKeys};

/// A token of a batch that is valid now, shown while its record is at hand.
#[derive(Clone, Copy)]
pub struct BatchToken<'a> {
    /// What validation knows of it.
    pub record: &'a Arc<TokenRecord>,
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
    ) -> Result<Vec<Option<TokenView>>, StoreError> {
        let mut views = vec![None; wires.len()];
        let keep = |at: usize, token: Option<BatchToken<'_>>| {
            views[at] = token.map(|token| TokenView {
                record: token.record.clone(),
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
            let show = |token: Option<BatchToken<'_>>| {
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
        show: impl FnOnce(Option<BatchToken<'_>>),
    ) -> First {
        let Some(presented) = claim.verify_known(keys, known.flatten().map(|record| record.known_secret()))
        else {
            show(None);
            return First::Unverified;
        };
        // Unknown, so it must be read.
        let Some(record) = known else { return First::Left(presented) };
        let verdict = record.map_or(Verdict::Refused, |record| record.judge(&presented.hash, None, now_ms));
        match (verdict, record) {
            (Verdict::Admitted, Some(record)) => {
                let Some(details) = record.details.get() else { return First::Left(presented) };
                if access == Access::Exempt && record.accesses.latest_ms() == 0 {
                    // The store knows better when it was last accessed.
                    return First::Left(presented);
                }
                self.note_access(record, access, now_ms, true);
                let last_access_ms = record.accesses.latest_ms();
                show(Some(BatchToken { record, details, last_access_ms }));
            }
            (Verdict::Pending, _) => {
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
        show: &mut impl FnMut(usize, Option<BatchToken<'_>>),
    ) -> Result<(), StoreError> {
        let mut views = self.views(later).await?;
        self.read_anew(later, &mut views).await?;
        // Read after the look-ups: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        for (view, later) in views.iter_mut().zip(later) {
            let record = view.as_ref().map(|view| &view.record);
            let verdict = record.map(|record| record.judge(&later.presented.hash, None, now_ms));
            match (verdict, record) {
                (Some(Verdict::Admitted), Some(record)) => {
                    self.counters.valid.inc();
                    // A copy that nobody else holds goes with this call.
                    self.note_access(record, access, now_ms, Arc::strong_count(record) > 1);
                    continue;
                }
                (Some(Verdict::Pending), _) => drop(self.counters.pending.inc()),
                (_, record) => self.refuse(record)?,
            }
            *view = None;
        }
        if access == Access::Exempt {
            let unknown = views.iter().flatten().filter(|view| !view.knows_an_access());
            try_join_all(unknown.map(|view| self.reader.learn_last_access(&view.record))).await?;
        }
        for (view, later) in views.iter().zip(later) {
            let token = view.as_ref().map(|view| BatchToken {
                record: &view.record,
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
            Some(view) => Ok(view.map(|view| self.renewed_view(view))),
            None => self.read_view(&later.presented).await,
        };
        try_join_all(later.iter().map(view)).await
    }

    /// The token as the store has it. While the store cannot be asked, one that is valid as far as is known, or none.
    async fn read_view(&self, presented: &Presented) -> Result<Option<TokenView>, StoreError> {
        match self.reader.view(presented.id).await {
            Err(error @ StoreError::Unavailable(_)) => {
                self.stale(presented, None).and_then(TokenView::of_known).map(Some).ok_or(error)
            }
            outcome => Ok(outcome?.map(|view| self.renewed_view(view))),
        }
    }

    fn renewed_view(&self, view: TokenView) -> TokenView {
        TokenView { record: self.renewed(view.record), ..view }
    }

    /// Settles the secrets that do not fit the record found, and finds the tokens anew whose secret was handed out since.
    async fn read_anew(&self, later: &[Later], views: &mut [Option<TokenView>]) -> Result<(), StoreError> {
        let settle = async |(view, later): (&mut Option<TokenView>, &Later)| {
            let Some(found) = view.as_ref().map(|view| view.record.clone()) else { return Ok(()) };
            let presented = later.presented;
            let settled =
                self.settle(presented, Read { record: Some(found.clone()), is_fresh: false }).await?;
            if settled.is_none_or(|settled| !Arc::ptr_eq(&settled, &found)) {
                *view = self.read_view(&presented).await?;
            }
            Ok(())
        };
        try_join_all(views.iter_mut().zip(later).map(settle)).await?;
        Ok(())
    }
}
