//! Many token strings at once, for a caller that is trusted and wants to know all about each.

use futures_util::future::try_join_all;

use super::{Access, Validator};
use crate::secret::{self, Kind, Presented};
use crate::store::StoreError;
use crate::token::{TokenView, Verdict};

impl Validator {
    /// The tokens of these strings in their order, `None` for each that is not valid now. The rules are those of
    /// [`Validator::validate`], but for the transport: the caller is a trusted back end that found the strings
    /// wherever it did, so a token's `allowed_cookie` and `allowed_header` are not asked.
    ///
    /// Known tokens are not read; the others are, in one go.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`: then none was judged.
    pub async fn validate_batch(
        &self,
        wires: &[impl AsRef<[u8]>],
        access: Access,
    ) -> Result<Vec<Option<TokenView>>, StoreError> {
        let outcome = self.judge_batch(wires, access).await;
        if outcome.is_err() {
            self.counters.unavailable.inc_by(wires.len() as u64);
        }
        outcome
    }

    async fn judge_batch(
        &self,
        wires: &[impl AsRef<[u8]>],
        access: Access,
    ) -> Result<Vec<Option<TokenView>>, StoreError> {
        let parse =
            |keys: &_| wires.iter().map(|wire| secret::parse(Kind::Token, keys, wire.as_ref())).collect();
        let presented: Vec<Option<Presented>> = self.service.with_check_keys(parse)?;
        let mut views = self.views(&presented).await?;
        self.read_anew(&presented, &mut views).await?;
        // Read after the look-ups: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        for (view, presented) in views.iter_mut().zip(&presented) {
            self.conclude_batched(view, *presented, access, now_ms);
        }
        if access == Access::Exempt {
            let unknown = views.iter().flatten().filter(|view| !view.knows_an_access());
            try_join_all(unknown.map(|view| self.reader.learn_last_access(&view.credential))).await?;
        }
        Ok(views)
    }

    /// The tokens of these ids, whoever holds them.
    async fn views(&self, presented: &[Option<Presented>]) -> Result<Vec<Option<TokenView>>, StoreError> {
        let mut views = Vec::with_capacity(presented.len());
        let mut missing = Vec::new();
        for (at, presented) in presented.iter().enumerate() {
            let known = presented.map(|presented| self.reader.known_view(presented.id).ok_or(presented.id));
            views.push(match known {
                Some(Ok(view)) => view,
                Some(Err(id)) => {
                    missing.push((at, id));
                    None
                }
                None => None,
            });
        }
        let read = try_join_all(missing.iter().map(|(_, id)| self.reader.view(*id))).await?;
        for ((at, _), view) in missing.iter().zip(read) {
            views[*at] = view;
        }
        Ok(views)
    }

    /// Reads those again whose secret is another one than the record's: what was known may be older than the
    /// rotation that made it the right one.
    async fn read_anew(
        &self,
        presented: &[Option<Presented>],
        views: &mut [Option<TokenView>],
    ) -> Result<(), StoreError> {
        for (view, presented) in views.iter_mut().zip(presented) {
            let (Some(presented), Some(found)) = (presented, &view) else { continue };
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

    /// Leaves of a view what its holder may see, counts it, and records the access.
    fn conclude_batched(
        &self,
        view: &mut Option<TokenView>,
        presented: Option<Presented>,
        access: Access,
        now_ms: u64,
    ) {
        let verdict =
            |presented: Presented, found: &TokenView| found.credential.judge(&presented.hash, None, now_ms);
        match (presented, &*view) {
            (Some(presented), Some(found)) if verdict(presented, found) == Verdict::Admitted => {
                self.counters.valid.inc();
                if access == Access::Recorded {
                    self.service.record_access(&found.credential, now_ms, true);
                }
                return;
            }
            (Some(_), _) => self.counters.refused.inc(),
            (None, _) => self.counters.forged.inc(),
        };
        *view = None;
    }
}
