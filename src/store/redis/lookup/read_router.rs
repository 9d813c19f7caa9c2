//! The pipelines of a runtime, one per master. A read goes to the master of its slot, and is sent once more if that one
//! redirects it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::pipeline::Pipeline;
use super::pipeline_state::{AuthorityProof, ReadFailure};
use super::request::{Extent, ReadRequest, ReadResult, ReadValue, ScoreRead, ServerIdentity};
use crate::clock::Clock;
use crate::foreign::ForeignDigest;
use crate::model::token::TokenRecord;
use crate::store::cache::ServerIndex;
use crate::store::error::StoreError;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::master::{MAX_SERVERS, Master};
use crate::store::redis::cluster::redirect::Redirect;
use crate::store::redis::cluster::topology::Topology;
use crate::store::redis::errors::unexpected;
use crate::store::redis::span::RedisSpan;
use crate::token_string::TokenId;

/// Routes reads to pipelines. Any thread may use it; the runtime it was started on serves the connections.
pub(crate) struct ReadRouter {
    topology: Arc<Topology>,
    clock: Clock,
    runtime: tokio::runtime::Handle,
    pipelines: Mutex<Vec<Arc<Pipeline>>>,
}

impl ReadRouter {
    /// Starts the pipelines on the current runtime, and waits until each is connected or its first attempts are over.
    pub(crate) async fn start(topology: Arc<Topology>, clock: Clock) -> Arc<Self> {
        if topology.map().masters.is_empty() {
            topology.refresh().await;
        }
        let runtime = tokio::runtime::Handle::current();
        let router = Self { topology, clock, runtime, pipelines: Mutex::default() };
        let masters = router.topology.map().masters.clone();
        let pipelines: Vec<_> = masters
            .iter()
            .filter(|master| master.may_have_tokens())
            .map(|master| router.pipeline(master))
            .collect();
        join_all(pipelines.iter().map(|pipeline| pipeline.has_tried())).await;
        Arc::new(router)
    }

    /// Returns the number of the token's master; an untracked one if no master is known.
    pub(crate) fn server_of(&self, id: TokenId) -> ServerIndex {
        self.topology.map().owner_of(id.hash_tag()).map_or(ServerIndex(u16::MAX), |master| master.index())
    }

    /// Reads one record, or its absence.
    pub(crate) async fn read(&self, id: TokenId, extent: Extent) -> ReadResult<Option<Arc<TokenRecord>>> {
        match self.ask(ReadRequest::TokenRecord(id, extent)).await? {
            (ReadValue::TokenRecord(record), server) => Ok((record, server)),
            _ => Err(unexpected("look-up")),
        }
    }

    /// Reads the token of an alias, if there is one.
    pub(crate) async fn alias(&self, digest: ForeignDigest) -> Result<Option<TokenId>, StoreError> {
        match self.ask(ReadRequest::Alias(digest)).await? {
            (ReadValue::Alias(id), _) => Ok(id),
            _ => Err(unexpected("look-up")),
        }
    }

    /// Reads the last access that the store knows of, if any.
    pub(crate) async fn last_access_ms(&self, record: &TokenRecord) -> Result<Option<u64>, StoreError> {
        let index = self.topology.keys.index(record.user());
        let member = format!("@{}", record.id.locator());
        let read = ScoreRead { hash_tag: record.id.hash_tag(), index, member };
        let request = ReadRequest::Score(Box::new(read));
        match self.ask(request).await? {
            (ReadValue::ScoreMs(score_ms), _) => Ok(score_ms),
            _ => Err(unexpected("look-up")),
        }
    }

    async fn ask(&self, request: ReadRequest) -> ReadResult<ReadValue> {
        let span = RedisSpan::of_command(request.command());
        let outcome = self.ask_owner(request).await;
        span.end(&outcome);
        outcome
    }

    async fn ask_owner(&self, request: ReadRequest) -> ReadResult<ReadValue> {
        self.topology.gate.check()?;
        let (pipeline, began_ms) = {
            let map = self.topology.map();
            // Only a cluster redirects, so only there the time is needed.
            let began_ms = map.is_by_slot().then(|| self.clock.boottime_ms());
            // No handle to the master: all threads would count theirs in one line of memory.
            (map.owner_of(request.hash_tag()).map(|master| self.pipeline(master)), began_ms)
        };
        let Some(pipeline) = pipeline else {
            self.topology.refresh_soon();
            return Err(StoreError::Unavailable(self.topology.why_unknown()));
        };
        match pipeline.ask(request, AuthorityProof::Shared).await {
            Ok(found) => self.settled(pipeline.master(), found),
            Err(ReadFailure::Store(error)) => Err(error),
            Err(ReadFailure::Again(again)) => {
                let spent_ms = began_ms.map_or(0, |began_ms| self.clock.boottime_ms() - began_ms);
                let left = self.topology.connector.timeout.saturating_sub(Duration::from_millis(spent_ms));
                self.topology.refresh_soon();
                let (request, redirect) = *again;
                // Boxed: the future of each read would have room for it.
                let second = Box::pin(timeout(left, self.ask_again(pipeline.master(), request, redirect)));
                second.await.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())))
            }
        }
    }

    /// Passes an answer on, unless it is that something is not there and another node may be about to write it.
    fn settled(&self, master: &Master, found: (ReadValue, Arc<ServerIdentity>)) -> ReadResult<ReadValue> {
        let is_absent = matches!(found.0, ReadValue::TokenRecord(None) | ReadValue::Alias(None));
        match is_absent && master.data.is_settling(self.clock.boottime_ms()) {
            true => Err(StoreError::settling()),
            false => Ok(found),
        }
    }

    /// Returns whether another node may be about to write what this node does not find of a token.
    pub(crate) fn is_settling(&self, id: TokenId) -> bool {
        self.topology.is_settling(id.hash_tag(), self.clock.boottime_ms())
    }

    /// Makes the second and last attempt: at the server of the redirect, or at the same master with the read's own proof.
    async fn ask_again(
        &self,
        master: &Arc<Master>,
        request: ReadRequest,
        redirect: Option<Redirect>,
    ) -> ReadResult<ReadValue> {
        let (pipeline, is_asking) = match redirect {
            None => (self.pipeline(master), false),
            Some(Redirect { to, is_asking }) => (self.pipeline_to(to), is_asking),
        };
        match pipeline.ask(request, AuthorityProof::Own { is_asking }).await {
            Ok(found) => self.settled(pipeline.master(), found),
            Err(ReadFailure::Store(error)) => Err(error),
            Err(ReadFailure::Again(..)) => Err(StoreError::Unavailable("the slot is moving".into())),
        }
    }

    /// Returns the pipeline to a master.
    fn pipeline(&self, master: &Arc<Master>) -> Arc<Pipeline> {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.iter().find(|pipeline| Arc::ptr_eq(pipeline.master(), master)) {
            return pipeline.clone();
        }
        // A pipeline to a former master answers the reads that wait for it, and ends with the last of them.
        let map = self.topology.map();
        pipelines.retain(|pipeline| map.contains(pipeline.master()));
        self.add(&mut pipelines, master.clone())
    }

    /// Returns the pipeline to an address, whose server may not be a known master yet.
    fn pipeline_to(&self, address: ServerAddress) -> Arc<Pipeline> {
        let known = self.topology.map().masters.iter().find(|master| master.address == address).cloned();
        if let Some(master) = known {
            return self.pipeline(&master);
        }
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        pipelines.retain(|pipeline| !pipeline.is_over());
        if let Some(pipeline) = pipelines.iter().find(|pipeline| pipeline.master().address == address) {
            return pipeline.clone();
        }
        if pipelines.len() >= MAX_SERVERS {
            pipelines.clear();
        }
        self.add(&mut pipelines, self.topology.untracked(address))
    }

    fn add(&self, pipelines: &mut Vec<Arc<Pipeline>>, master: Arc<Master>) -> Arc<Pipeline> {
        let pipeline = Arc::new(Pipeline::start(self.topology.clone(), master, &self.runtime));
        pipelines.push(pipeline.clone());
        pipeline
    }
}
