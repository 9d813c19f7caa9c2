//! Cut-offs, and the walk over all tokens.

use super::memory_store::MemoryStore;
use super::shard::{SHARDS, lock};
use crate::model::cutoff::{Cutoff, CutoffName, CutoffProgress, CutoffStep, MAX_CUTOFFS, SetCutoff};
use crate::model::event::{CutoffEvent, Event, EventKind};
use crate::store::call::Call;
use crate::store::feed::FeedEntry;
use crate::store::rejection::{Outcome, Rejection};
use crate::store::walk::WalkPage;

impl MemoryStore {
    pub(crate) fn cutoffs(&self) -> Vec<Cutoff> {
        lock(&self.cutoffs).values().cloned().collect()
    }

    pub(crate) fn set_cutoff(
        &self,
        name: &CutoffName,
        before_ms: u64,
        call: &Call<'_>,
    ) -> Outcome<SetCutoff> {
        let mut cutoffs = lock(&self.cutoffs);
        let present = cutoffs.get(name);
        if let Some(present) = present {
            if present.before_ms == before_ms {
                return Ok(SetCutoff { cutoff: present.clone(), is_new: false });
            }
            if present.before_ms > before_ms {
                return Err(Rejection::CutoffIsLater);
            }
        }
        let is_new = present.is_none();
        if is_new && cutoffs.len() >= MAX_CUTOFFS {
            return Err(Rejection::TooManyCutoffs);
        }
        let progress = CutoffProgress::default();
        let cutoff = Cutoff { name: name.clone(), before_ms, created_at_ms: call.now_ms, progress };
        cutoffs.insert(name.clone(), cutoff.clone());
        self.announce_cutoff(EventKind::CutoffSet, name, Some(before_ms), call);
        Ok(SetCutoff { cutoff, is_new })
    }

    pub(crate) fn remove_cutoff(&self, name: &CutoffName, call: &Call<'_>) -> bool {
        let is_removed = lock(&self.cutoffs).remove(name).is_some();
        if is_removed {
            self.announce_cutoff(EventKind::CutoffRemoved, name, None, call);
        }
        is_removed
    }

    /// Counts the steps of the walk. Returns all cut-offs as they are now.
    pub(crate) fn count_steps(&self, steps: &[CutoffStep], call: &Call<'_>) -> Vec<Cutoff> {
        let mut cutoffs = lock(&self.cutoffs);
        for step in steps {
            let present = cutoffs.get_mut(&step.name).filter(|cutoff| cutoff.before_ms == step.before_ms);
            let Some(Cutoff { progress, .. }) = present else { continue };
            progress.scanned = step.scanned;
            progress.revoked += step.revoked;
            if step.is_last {
                progress.finished_at_ms = Some(call.now_ms);
            }
        }
        cutoffs.values().cloned().collect()
    }

    /// Reads the tokens of a shard, and moves on to the next one.
    pub(crate) fn walk_page(&self, shard: &mut usize) -> WalkPage {
        let tokens: Vec<_> = self
            .shards
            .get(*shard)
            .map(|shard| lock(shard).tokens.values().map(|token| token.record.clone()).collect())
            .unwrap_or_default();
        *shard += 1;
        let is_last = *shard >= SHARDS;
        WalkPage { keys: tokens.len() as u64, tokens, is_last, has_seen_all: is_last }
    }

    fn announce_cutoff(&self, kind: EventKind, name: &CutoffName, before_ms: Option<u64>, call: &Call<'_>) {
        let cutoff = Some(CutoffEvent { name: name.to_string(), before_ms });
        let event = Event { cutoff, ..Event::new(kind, call.now_ms, call.actor) };
        self.feed.push(FeedEntry::Event(String::new(), event));
    }
}
