//! Whether this node has accepted the data that a master serves. It accepts the data once it has merged into it what it
//! remembers (`replay`), and uses no connection before it has accepted the data at the other end.
//!
//! All connections to the same data share one `DataIdentity`, so one load tells whether it is still accepted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::RedisResult;
use redis::aio::ConnectionLike;
use tokio::sync::watch;

use super::data_identity::{DataIdentity, ask};
use super::slot_set::SlotSet;

/// What a node knows of the data of one master. A master that is replaced by another object at the same address hands
/// it on.
pub(crate) struct MasterData {
    state: Mutex<DataState>,
    /// How many attempts to accept the data have ended.
    attempts: watch::Sender<u64>,
    settles_until_ms: AtomicU64,
    /// Until when it settles at most.
    settling_ends_ms: AtomicU64,
}

struct DataState {
    /// The data that was accepted last.
    accepted: Option<Arc<DataIdentity>>,
    /// Data that a connection has met and that is not accepted.
    candidate: Option<Arc<DataIdentity>>,
    /// The slots into which this node has merged.
    merged: SlotSet,
    /// The node knew the master when it started: others have served from its first data already.
    is_first: bool,
    is_attempted: bool,
    failure: String,
}

/// The data of a master that was known at some time, each with the offset that was known.
pub(crate) struct KnownData(Vec<(Arc<DataIdentity>, u64)>);

/// An attempt to accept the data of a master. There is one at a time. It ends when this is dropped.
pub(crate) struct AcceptanceAttempt {
    data: Arc<MasterData>,
    outcome: Result<(), String>,
}

impl MasterData {
    /// `is_first`: the node has just started, and this is one of the first masters that it knows.
    pub(crate) fn new(is_first: bool) -> Arc<Self> {
        let state = DataState {
            accepted: None,
            candidate: None,
            merged: SlotSet::default(),
            is_first,
            is_attempted: false,
            failure: String::new(),
        };
        let (settles_until_ms, settling_ends_ms) = (AtomicU64::new(0), AtomicU64::new(0));
        let attempts = watch::Sender::new(0);
        Arc::new(Self { state: Mutex::new(state), attempts, settles_until_ms, settling_ends_ms })
    }

    fn state(&self) -> MutexGuard<'_, DataState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the data that is known by now. A connection takes it before it asks for its own.
    pub(crate) fn known(&self) -> KnownData {
        let state = self.state();
        // The candidate first: it may be what the accepted data was set back to.
        let known = [&state.candidate, &state.accepted].into_iter().flatten();
        KnownData(known.map(|data| (data.clone(), data.offset())).collect())
    }

    /// Returns the data that the `INFO` of a connection names. `known` was taken before the server was asked.
    pub(crate) fn identify(&self, known: &KnownData, info: &str) -> Arc<DataIdentity> {
        let seen = DataIdentity::new(info);
        if let Some((known, _)) = known.0.iter().find(|(known, offset)| known.is_named_by(&seen, *offset)) {
            return known.clone();
        }
        let mut state = self.state();
        // Another connection may have met it meanwhile.
        let met = [&state.candidate, &state.accepted].into_iter().flatten().find(|met| {
            let is_new = !known.0.iter().any(|(known, _)| Arc::ptr_eq(known, met));
            is_new && met.is_named_by(&seen, 0)
        });
        match met {
            Some(met) => met.clone(),
            None => state.candidate.insert(Arc::new(seen)).clone(),
        }
    }

    /// Asks for the data at the other end of a connection.
    pub(crate) async fn ask(&self, connection: &mut impl ConnectionLike) -> RedisResult<Arc<DataIdentity>> {
        let known = self.known();
        Ok(self.identify(&known, &ask(connection).await?))
    }

    /// Takes the acceptance back: the server has other data now, or is no longer the master.
    pub(crate) fn renounce(&self) {
        if let Some(accepted) = &self.state().accepted {
            accepted.is_accepted.store(false, Ordering::SeqCst);
        }
    }

    /// Subscribes to the ends of attempts.
    pub(crate) fn attempts(&self) -> watch::Receiver<u64> {
        self.attempts.subscribe()
    }

    /// Returns why the last attempt failed; empty if it did not.
    pub(crate) fn failure(&self) -> String {
        self.state().failure.clone()
    }

    /// Begins an attempt, unless one is under way.
    pub(crate) fn begin_attempt(self: &Arc<Self>) -> Option<AcceptanceAttempt> {
        let mut state = self.state();
        let is_free = !std::mem::replace(&mut state.is_attempted, true);
        is_free.then(|| AcceptanceAttempt {
            data: self.clone(),
            outcome: Err("the attempt was given up".into()),
        })
    }

    /// Returns the slots of `own` into which this node has not merged. `None` if the data is not accepted: it is merged into
    /// all of them before it is.
    pub(crate) fn unmerged(&self, own: &SlotSet) -> Option<SlotSet> {
        let state = self.state();
        let is_accepted = state.accepted.as_ref().is_some_and(|accepted| accepted.is_accepted());
        is_accepted.then(|| own.without(&state.merged))
    }

    /// Notes that this node has merged into more slots of the accepted data.
    pub(crate) fn add_merged(&self, slots: &SlotSet) {
        self.state().merged.add_all(slots);
    }

    /// Returns whether this node is merging into the data.
    pub(crate) fn is_merging(&self) -> bool {
        self.state().is_attempted
    }

    /// Lets negative answers count for nothing until this time, and with [`settle_longer`](Self::settle_longer) at most until
    /// `at_most_ms`.
    pub(crate) fn settle(&self, until_ms: u64, at_most_ms: u64) {
        self.settling_ends_ms.store(at_most_ms, Ordering::SeqCst);
        self.settles_until_ms.store(until_ms, Ordering::SeqCst);
    }

    /// Settles until this time, if that is later than before.
    pub(crate) fn settle_longer(&self, until_ms: u64) {
        let until_ms = until_ms.min(self.settling_ends_ms.load(Ordering::SeqCst));
        self.settles_until_ms.fetch_max(until_ms, Ordering::SeqCst);
    }

    /// Returns for how long it still settles: 0 if it does not.
    pub(crate) fn settles_for_ms(&self, now_ms: u64) -> u64 {
        self.settles_until_ms.load(Ordering::SeqCst).saturating_sub(now_ms)
    }

    /// Returns whether another node may be about to write here what this node does not find.
    pub(crate) fn is_settling(&self, now_ms: u64) -> bool {
        self.settles_for_ms(now_ms) > 0
    }
}

impl AcceptanceAttempt {
    /// Returns whether accepting this data changes what this node serves from: it is other data than before.
    pub(crate) fn is_change(&self, identity: &DataIdentity) -> bool {
        let state = self.data.state();
        match &state.accepted {
            Some(accepted) => !std::ptr::eq(&**accepted, identity),
            None => !state.is_first,
        }
    }

    /// Accepts data into whose slots `merged` this node has merged.
    pub(crate) fn accept(mut self, identity: &Arc<DataIdentity>, merged: SlotSet) {
        let mut state = self.data.state();
        if let Some(former) = &state.accepted {
            former.is_accepted.store(false, Ordering::SeqCst);
        }
        identity.is_accepted.store(true, Ordering::SeqCst);
        state.accepted = Some(identity.clone());
        state.merged = merged;
        drop(state);
        self.outcome = Ok(());
    }

    /// Ends the attempt without success.
    pub(crate) fn fail(mut self, reason: String) {
        self.outcome = Err(reason);
    }
}

impl Drop for AcceptanceAttempt {
    fn drop(&mut self) {
        let mut state = self.data.state();
        state.is_attempted = false;
        state.failure = std::mem::replace(&mut self.outcome, Ok(())).err().unwrap_or_default();
        drop(state);
        self.data.attempts.send_modify(|ended| *ended += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(run_id: &str, replication_id: &str) -> String {
        info_at(run_id, replication_id, 0)
    }

    fn info_at(run_id: &str, replication_id: &str, offset: u64) -> String {
        format!(
            "# Server\r\nrun_id:{run_id}\r\n# Replication\r\nmaster_replid:{replication_id}\r\nmaster_replid2:0\r\n\
             master_repl_offset:{offset}\r\n"
        )
    }

    /// Returns the data that a connection meets which gets this answer at once.
    fn met(data: &MasterData, info: &str) -> Arc<DataIdentity> {
        data.identify(&data.known(), info)
    }

    fn accept(data: &Arc<MasterData>, identity: &Arc<DataIdentity>) -> bool {
        let attempt = data.begin_attempt().unwrap();
        let is_change = attempt.is_change(identity);
        attempt.accept(identity, SlotSet::default());
        is_change
    }

    #[test]
    fn connections_to_the_same_data_share_its_identity() {
        let data = MasterData::new(true);
        let first = met(&data, &info("a", "1"));
        assert!(Arc::ptr_eq(&first, &met(&data, &info("a", "1"))) && !first.is_accepted());
        assert!(!accept(&data, &first), "the first data of a node is no change");
        assert!(first.is_accepted() && Arc::ptr_eq(&first, &met(&data, &info("a", "1"))));
        for other in [info("b", "1"), info("a", "2")] {
            let other = met(&data, &other);
            assert!(!Arc::ptr_eq(&first, &other) && !other.is_accepted());
        }
        assert!(first.is_accepted(), "until the other data is accepted");
    }

    #[test]
    fn one_data_is_accepted_at_a_time() {
        let data = MasterData::new(true);
        let (first, second) = (met(&data, &info("a", "1")), met(&data, &info("a", "2")));
        accept(&data, &first);
        assert!(accept(&data, &second));
        assert!(!first.is_accepted() && second.is_accepted());
        data.renounce();
        assert!(!second.is_accepted());
        assert!(!accept(&data, &second), "it is the same data as before");
    }

    #[test]
    fn a_server_that_was_set_back_has_other_data() {
        let data = MasterData::new(true);
        let first = met(&data, &info_at("a", "1", 100));
        accept(&data, &first);
        let asked_before = data.known();
        assert!(Arc::ptr_eq(&first, &met(&data, &info_at("a", "1", 200))));
        let late = data.identify(&asked_before, &info_at("a", "1", 150));
        assert!(Arc::ptr_eq(&first, &late), "answers come in any order");

        let asked_before = data.known();
        let second = met(&data, &info_at("a", "1", 199));
        assert!(!Arc::ptr_eq(&first, &second) && !second.is_accepted());
        assert!(Arc::ptr_eq(&second, &data.identify(&asked_before, &info_at("a", "1", 199))));
        assert!(accept(&data, &second) && !first.is_accepted());
        for offset in [199, 300] {
            assert!(Arc::ptr_eq(&second, &met(&data, &info_at("a", "1", offset))), "{offset}");
        }
    }

    #[test]
    fn a_master_that_joins_later_is_a_change() {
        let data = MasterData::new(false);
        assert!(accept(&data, &met(&data, &info("a", "1"))));
    }

    #[test]
    fn there_is_one_attempt_at_a_time() {
        let data = MasterData::new(true);
        let ended = data.attempts();
        let attempt = data.begin_attempt().unwrap();
        assert!(data.begin_attempt().is_none());
        attempt.fail("no".into());
        assert_eq!((data.failure().as_str(), *ended.borrow()), ("no", 1));
        drop(data.begin_attempt().unwrap());
        assert_eq!(data.failure(), "the attempt was given up");
    }

    #[test]
    fn settling_is_prolonged_up_to_its_limit() {
        let data = MasterData::new(true);
        data.settle_longer(50);
        assert!(!data.is_settling(0), "it does not settle");
        data.settle(30, 100);
        assert_eq!((data.settles_for_ms(10), data.settles_for_ms(30)), (20, 0));
        for (until_ms, settles_until_ms) in [(20, 30), (60, 60), (150, 100)] {
            data.settle_longer(until_ms);
            assert!(data.is_settling(settles_until_ms - 1) && !data.is_settling(settles_until_ms));
        }
    }

    #[test]
    fn slots_are_merged_into_once() {
        let data = MasterData::new(true);
        let slots = |slots: &[u16]| slots.iter().copied().collect::<SlotSet>();
        assert!(data.unmerged(&slots(&[1])).is_none());
        let identity = met(&data, &info("a", "1"));
        data.begin_attempt().unwrap().accept(&identity, slots(&[1]));
        assert!(data.unmerged(&slots(&[1])).unwrap().is_empty());
        assert!(data.unmerged(&slots(&[1, 2])).unwrap() == slots(&[2]));
        data.add_merged(&slots(&[2]));
        assert!(data.unmerged(&slots(&[1, 2])).unwrap().is_empty());
    }
}
