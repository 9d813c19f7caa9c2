//! Look-ups of one runtime that come in the same turn of its loop go to the server as one pipeline: a pipeline
//! costs about as much as a single command.
//!
//! Each pipeline begins with a write that changes nothing, and counts only if the server takes it. A master that
//! was demoted, or cut off from its cluster or replicas, still answers reads, for ever, and with what it knew
//! then: it would admit tokens that were ended since and refuse those issued since.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::ConnectionLike as _;
use redis::{RedisResult, Value};
use tokio::sync::{Notify, oneshot};

use super::link::{Link, Open};
use super::{codec, describe, store_error};
use crate::secret::TokenId;
use crate::store::StoreError;
use crate::store::redis::keys::Keys;
use crate::token::Credential;

/// A credential or its absence, and the run id of the server that said so.
pub(super) type Answer = Result<(Option<Arc<Credential>>, Arc<str>), StoreError>;

/// The most look-ups in one pipeline: enough to spread its cost, few enough to answer the first of them soon.
const MAX_PIPELINE: usize = 256;

/// Gathers look-ups; its worker sends them. One per runtime.
pub(super) struct Batch {
    /// Bounded by the look-ups under way, and so by the connections and the tokens of a batch request.
    waiting: Mutex<Vec<LookUp>>,
    wake: Notify,
}

struct LookUp {
    id: TokenId,
    answer: oneshot::Sender<Answer>,
}

impl Batch {
    /// Starts the worker on the current runtime; it ends with it.
    pub(super) fn start(link: Arc<Link>, keys: Keys) -> Arc<Self> {
        let batch = Arc::new(Self { waiting: Mutex::default(), wake: Notify::new() });
        tokio::spawn(batch.clone().work(link, keys));
        batch
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<LookUp>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one credential.
    pub(super) async fn read(&self, id: TokenId) -> Answer {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting();
            waiting.push(LookUp { id, answer });
            waiting.len() == 1
        };
        if is_first {
            self.wake.notify_one();
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the look-up was given up".into())))
    }

    async fn work(self: Arc<Self>, link: Arc<Link>, keys: Keys) {
        loop {
            self.wake.notified().await;
            let mut look_ups = std::mem::take(&mut *self.waiting());
            while !look_ups.is_empty() {
                let rest = look_ups.split_off(look_ups.len().min(MAX_PIPELINE));
                match link.connection() {
                    // Not awaited here: the next pipeline follows while this one is under way.
                    Ok(open) => drop(tokio::spawn(send(link.clone(), open, look_ups, pipeline(&keys)))),
                    Err(error) => fail(look_ups, &error),
                }
                look_ups = rest;
            }
        }
    }
}

fn pipeline(keys: &Keys) -> impl Fn(&[LookUp]) -> redis::Pipeline + Send + use<> {
    let keys = keys.clone();
    move |look_ups| {
        let mut pipeline = redis::Pipeline::with_capacity(1 + look_ups.len());
        // Before the reads: once the server was the master it has all that was acknowledged until then.
        pipeline.cmd("DEL").arg(keys.probe());
        for look_up in look_ups {
            pipeline.cmd("HMGET").arg(keys.token(look_up.id)).arg(&codec::HOT_FIELDS[..]);
        }
        pipeline
    }
}

async fn send(
    link: Arc<Link>,
    mut open: Open,
    look_ups: Vec<LookUp>,
    pipeline: impl Fn(&[LookUp]) -> redis::Pipeline + Send,
) {
    let pipeline = pipeline(&look_ups);
    let count = 1 + look_ups.len();
    match open.connection.req_packed_commands(&pipeline, 0, count).await {
        Ok(mut answers) if answers.len() == count => {
            if let Err(error) = answers.remove(0).extract_error() {
                link.lost(&open);
                tracing::debug!(error = describe(&error), "the server takes no writes");
                fail(look_ups, &store_error(error));
                return;
            }
            for (look_up, answer) in look_ups.into_iter().zip(answers) {
                let credential = decode(look_up.id, answer);
                // Nobody waits any more: the client has gone.
                let _ = look_up.answer.send(credential.map(|credential| (credential, open.run_id.clone())));
            }
        }
        Ok(_) => fail(look_ups, &StoreError::Unavailable("answers are missing".into())),
        Err(error) => {
            if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
                link.lost(&open);
            }
            tracing::debug!(error = describe(&error), "look-ups failed");
            fail(look_ups, &store_error(error));
        }
    }
}

fn decode(id: TokenId, answer: Value) -> Result<Option<Arc<Credential>>, StoreError> {
    let answer: RedisResult<Value> = answer.extract_error();
    codec::credential(id, &answer.map_err(store_error)?)
}

fn fail(look_ups: Vec<LookUp>, error: &StoreError) {
    for look_up in look_ups {
        let _ = look_up.answer.send(Err(error.clone()));
    }
}
