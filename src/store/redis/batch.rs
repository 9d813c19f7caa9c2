//! Look-ups of one runtime that come in the same turn of its loop go to the server as one pipeline: a pipeline
//! costs about as much as a single command.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::ConnectionLike as _;
use redis::{Cmd, RedisResult, Value, cmd};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::link::{Link, Open};
use super::{codec, describe, store_error};
use crate::secret::TokenId;
use crate::store::StoreError;
use crate::store::redis::keys::Keys;
use crate::token::Credential;

/// What was found, and the run id of the server that said so.
pub(super) type Answer<T> = Result<(T, Arc<str>), StoreError>;

/// How much of a token is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What validation needs.
    Hot,
    /// The details, too.
    Whole,
}

/// The most look-ups in one pipeline: enough to spread its cost, few enough to answer the first of them soon.
const MAX_PIPELINE: usize = 256;

/// Gathers look-ups; its worker sends them, and ends with this. One per runtime.
pub(super) struct Batch {
    queue: Arc<Queue>,
    keys: Keys,
    worker: AbortHandle,
}

#[derive(Default)]
struct Queue {
    /// Bounded by the look-ups under way, and so by the connections and the tokens of a batch request.
    waiting: Mutex<Vec<LookUp>>,
    wake: Notify,
}

struct LookUp {
    command: Cmd,
    answer: oneshot::Sender<Answer<Value>>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl Batch {
    /// Starts the worker on the current runtime.
    pub(super) fn start(link: Arc<Link>, keys: Keys) -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        let worker = tokio::spawn(queue.clone().work(link)).abort_handle();
        Arc::new(Self { queue, keys, worker })
    }

    /// Reads one credential, or its absence.
    pub(super) async fn read(&self, id: TokenId, extent: Extent) -> Answer<Option<Arc<Credential>>> {
        let mut command = cmd("HMGET");
        command.arg(self.keys.token(id)).arg(&codec::HOT_FIELDS[..]);
        if extent == Extent::Whole {
            command.arg(&codec::COLD_FIELDS[..]);
        }
        let (answer, run_id) = self.queue.ask(command).await?;
        Ok((codec::credential(id, &answer)?, run_id))
    }

    /// Reads the last access that the store knows of; `None` when it knows of none.
    pub(super) async fn last_access_ms(&self, credential: &Credential) -> Result<Option<u64>, StoreError> {
        let mut command = cmd("ZSCORE");
        let member = format!("@{}", credential.id.locator());
        command.arg(self.keys.index(&credential.user)).arg(member);
        let (answer, _) = self.queue.ask(command).await?;
        Ok(codec::score_ms(&answer))
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Vec<LookUp>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, command: Cmd) -> Answer<Value> {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting();
            waiting.push(LookUp { command, answer });
            waiting.len() == 1
        };
        if is_first {
            self.wake.notify_one();
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the look-up was given up".into())))
    }

    async fn work(self: Arc<Self>, link: Arc<Link>) {
        loop {
            self.wake.notified().await;
            let mut look_ups = std::mem::take(&mut *self.waiting());
            while !look_ups.is_empty() {
                let rest = look_ups.split_off(look_ups.len().min(MAX_PIPELINE));
                match link.connection() {
                    // Not awaited here: the next pipeline follows while this one is under way.
                    Ok(open) => drop(tokio::spawn(send(link.clone(), open, look_ups))),
                    Err(error) => fail(look_ups.into_iter().map(|look_up| look_up.answer), &error),
                }
                look_ups = rest;
            }
        }
    }
}

async fn send(link: Arc<Link>, mut open: Open, look_ups: Vec<LookUp>) {
    let mut pipeline = redis::Pipeline::with_capacity(look_ups.len());
    let mut waiting = Vec::with_capacity(look_ups.len());
    for LookUp { command, answer } in look_ups {
        pipeline.add_command(command);
        waiting.push(answer);
    }
    let count = waiting.len();
    match open.connection.req_packed_commands(&pipeline, 0, count).await {
        Ok(answers) if answers.len() == count => {
            for (waiting, answer) in waiting.into_iter().zip(answers) {
                let answer: RedisResult<Value> = answer.extract_error();
                let answer = answer.map(|answer| (answer, open.run_id.clone())).map_err(store_error);
                // Nobody waits any more: the client has gone.
                let _ = waiting.send(answer);
            }
        }
        Ok(_) => fail(waiting, &StoreError::Unavailable("answers are missing".into())),
        Err(error) => {
            if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
                link.lost(&open);
            }
            tracing::debug!(error = describe(&error), "look-ups failed");
            fail(waiting, &store_error(error));
        }
    }
}

fn fail(waiting: impl IntoIterator<Item = oneshot::Sender<Answer<Value>>>, error: &StoreError) {
    for waiting in waiting {
        let _ = waiting.send(Err(error.clone()));
    }
}
