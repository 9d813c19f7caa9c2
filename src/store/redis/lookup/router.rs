//! The hot path's own connections to the servers, one to each master per runtime ([`Pipe`]). A look-up goes to the
//! master of its slot, and once elsewhere when that one says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use super::pipeline::Pipe;
use super::queue::{Failure, Proof};
use super::request::{Extent, Found, Question, Redirect, Value};
use crate::clock::Clock;
use crate::model::token::TokenRecord;
use crate::store::cache::ServerIndex;
use crate::store::error::StoreError;
use crate::store::redis::cluster::endpoint::Address;
use crate::store::redis::cluster::master_map::{MAX_SERVERS, Master};
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::errors::unexpected;
use crate::token_string::TokenId;

/// The handle: any thread may use it, the connections are served by the runtime it was made on.
pub(crate) struct LookUps {
    topology: Arc<Topology>,
    clock: Clock,
    runtime: tokio::runtime::Handle,
    pipes: Mutex<Vec<Arc<Pipe>>>,
}

impl LookUps {
    /// Starts the connections' tasks on the current runtime, and waits until each has tried once to connect.
    pub(crate) async fn start(topology: Arc<Topology>, clock: Clock) -> Arc<Self> {
        if topology.map().masters.is_empty() {
            topology.refresh().await;
        }
        let runtime = tokio::runtime::Handle::current();
        let look_ups = Self { topology, clock, runtime, pipes: Mutex::default() };
        let masters = look_ups.topology.map().masters.clone();
        let pipes: Vec<_> = masters
            .iter()
            .filter(|master| master.may_have_tokens())
            .map(|master| look_ups.pipe(master))
            .collect();
        join_all(pipes.iter().map(|pipe| pipe.has_tried())).await;
        Arc::new(look_ups)
    }

    /// The number of the master that a token lives on, as far as is known.
    pub(crate) fn server_of(&self, id: TokenId) -> ServerIndex {
        self.topology.map().owner_of(id).map_or(ServerIndex(u16::MAX), |master| master.index())
    }

    /// Reads one record, or its absence.
    pub(crate) async fn read(&self, id: TokenId, extent: Extent) -> Found<Option<Arc<TokenRecord>>> {
        match self.ask(id, Question::TokenRecord(id, extent)).await? {
            (Value::TokenRecord(record), server) => Ok((record, server)),
            (Value::ScoreMs(_), _) => Err(unexpected("look-up")),
        }
    }

    /// Reads the last access that the store knows of; `None` when it knows of none.
    pub(crate) async fn last_access_ms(&self, record: &TokenRecord) -> Result<Option<u64>, StoreError> {
        let index = self.topology.keys.index(record.user());
        let member = format!("@{}", record.id.locator());
        let question = Question::Score { shard: record.id.hash_tag(), index, member };
        match self.ask(record.id, question).await? {
            (Value::ScoreMs(score_ms), _) => Ok(score_ms),
            (Value::TokenRecord(_), _) => Err(unexpected("look-up")),
        }
    }

    async fn ask(&self, id: TokenId, question: Question) -> Found<Value> {
        self.topology.gate.check()?;
        // Only a cluster sends anybody elsewhere.
        let began_ms = self.topology.map().is_by_slot().then(|| self.clock.boottime_ms());
        let Some(master) = self.topology.map().owner_of(id).cloned() else {
            self.topology.refresh_soon();
            return Err(StoreError::Unavailable(self.topology.why_unknown()));
        };
        match self.pipe(&master).ask(question, Proof::Shared).await {
            Ok(found) => Ok(found),
            Err(Failure::Store(error)) => Err(error),
            Err(Failure::Again(question, redirect)) => {
                self.topology.refresh_soon();
                let spent_ms = began_ms.map_or(0, |began_ms| self.clock.boottime_ms() - began_ms);
                let left = self.topology.link.timeout.saturating_sub(Duration::from_millis(spent_ms));
                match tokio::time::timeout(left, self.ask_again(&master, question, redirect)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(StoreError::Unavailable("no answer in time".into())),
                }
            }
        }
    }

    /// The second and last attempt: where the first one was sent, or at the same master with a proof of its own.
    async fn ask_again(
        &self,
        master: &Arc<Master>,
        question: Question,
        redirect: Option<Redirect>,
    ) -> Found<Value> {
        let (pipe, is_asking) = match redirect {
            None => (self.pipe(master), false),
            Some(Redirect { to, is_asking }) => (self.pipe_to(to), is_asking),
        };
        match pipe.ask(question, Proof::Own { is_asking }).await {
            Ok(found) => Ok(found),
            Err(Failure::Store(error)) => Err(error),
            Err(Failure::Again(..)) => Err(StoreError::Unavailable("its slot is on the move".into())),
        }
    }

    /// The connection to a master.
    fn pipe(&self, master: &Arc<Master>) -> Arc<Pipe> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = pipes.iter().find(|pipe| Arc::ptr_eq(pipe.master(), master)) {
            return pipe.clone();
        }
        // Whose master has gone answers those who wait, and ends with the last of them.
        let map = self.topology.map();
        pipes.retain(|pipe| map.has(pipe.master()));
        self.add(&mut pipes, master.clone())
    }

    /// The connection to a server that may be none of the masters yet.
    fn pipe_to(&self, address: Address) -> Arc<Pipe> {
        let known = self.topology.map().masters.iter().find(|master| master.address == address).cloned();
        if let Some(master) = known {
            return self.pipe(&master);
        }
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.retain(|pipe| !pipe.is_over());
        if let Some(pipe) = pipes.iter().find(|pipe| pipe.master().address == address) {
            return pipe.clone();
        }
        if pipes.len() >= MAX_SERVERS {
            pipes.clear();
        }
        self.add(&mut pipes, self.topology.guest(address))
    }

    fn add(&self, pipes: &mut Vec<Arc<Pipe>>, master: Arc<Master>) -> Arc<Pipe> {
        let pipe = Arc::new(Pipe::start(self.topology.clone(), master, &self.runtime));
        pipes.push(pipe.clone());
        pipe
    }
}
