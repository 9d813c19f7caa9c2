//! Micro-batching: many checks in one call of `POST /v1/validate`.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::admin::{Admin, MAX_BATCH};
use crate::error::{CallError, Unavailable};
use crate::identity::Via;
use crate::models::Token;
use crate::request::{ClientRequest, is_sendable};
use crate::validator::Checker;
use crate::verdict::{Anonymous, Refusal, Verdict};

/// The tokens of a batch, as JSON. Doorward reads 64 KiB.
const MAX_BATCH_BYTES: usize = 60_000;
/// The quotes and the comma of a token in JSON, and one to spare.
const OVERHEAD: usize = 4;

/// Judges tokens in batches, for busy servers that are far from Doorward. Cheap to clone; the clones share the batches.
///
/// It collects tokens for at most 2 ms, or up to 1,000 of them. While a batch is under way, the next one collects. A batch
/// that fails fails for all its callers. The API key needs the scope `introspect`.
///
/// Three rules differ from those of `/auth`. A token that waits for its second factor is judged as an invalid
/// one. Requests that another site made a browser send are not refused. Tokens are found in `Authorization: Bearer` and in
/// one cookie; Doorward's settings for other places do not count.
#[derive(Clone)]
pub struct Batcher {
    shared: Arc<Shared>,
    max_delay: Duration,
    max_waiting: usize,
    timeout: Duration,
    cookie_name: String,
}

struct Shared {
    admin: Admin,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The tokens of the next batch.
    batch: Vec<Waiting>,
    /// Its size as JSON.
    bytes: usize,
    /// Sends the batch when its time has come.
    timer: Option<JoinHandle<()>>,
    /// The callers that have no answer yet.
    waiting: usize,
}

type Answer = Result<Option<Token>, Unavailable>;

struct Waiting {
    token: String,
    answer: oneshot::Sender<Answer>,
}

/// Counts a caller until it is dropped.
struct Place<'a>(&'a Shared);

impl Batcher {
    /// Makes a batcher. At most 10,000 tokens wait for an answer, each at most 2 s; the cookie is `doorward`.
    pub fn new(admin: Admin) -> Self {
        Self {
            shared: Arc::new(Shared { admin, state: Mutex::default() }),
            max_delay: Duration::from_millis(2),
            max_waiting: 10_000,
            timeout: Duration::from_secs(2),
            cookie_name: "doorward".to_owned(),
        }
    }

    /// Changes the time for which a batch collects.
    #[must_use]
    pub fn with_max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Changes how many tokens may wait for an answer. Further ones are [`Unavailable`] at once.
    #[must_use]
    pub fn with_max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// Changes the deadline of each check.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Changes the name of the cookie: Doorward's `cookie-name`.
    #[must_use]
    pub fn with_cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = name.into();
        self
    }

    /// Judges a token string. The caller must look at [`Token::allowed_header`] and [`Token::allowed_cookie`].
    ///
    /// # Errors
    /// In an outage, or if too many tokens wait.
    pub async fn validate(&self, token: &str) -> Result<Option<Token>, Unavailable> {
        if !is_sendable(token) {
            return Ok(None);
        }
        let (answer, receiver) = oneshot::channel();
        let _place = self.add(Waiting { token: token.to_owned(), answer })?;
        match timeout(self.timeout, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Unavailable::new("the runtime of the batch has ended")),
            Err(_) => Err(Unavailable::new(format!("no answer within {} ms", self.timeout.as_millis()))),
        }
    }

    /// Adds a token to the batch, and sends the batch if it is full.
    fn add(&self, waiting: Waiting) -> Result<Place<'_>, Unavailable> {
        let bytes = waiting.token.len() + OVERHEAD;
        let mut state = self.shared.state();
        if state.waiting >= self.max_waiting {
            return Err(Unavailable::new("too many checks are waiting"));
        }
        if state.bytes + bytes > MAX_BATCH_BYTES {
            self.shared.send(&mut state);
        }
        state.waiting += 1;
        state.bytes += bytes;
        state.batch.push(waiting);
        if state.batch.len() >= MAX_BATCH {
            self.shared.send(&mut state);
        } else if state.timer.as_ref().is_none_or(JoinHandle::is_finished) {
            // A timer that has finished with a batch left belonged to a runtime that has ended.
            let (shared, delay) = (self.shared.clone(), self.max_delay);
            state.timer = Some(tokio::spawn(async move {
                sleep(delay).await;
                let mut state = shared.state();
                state.timer = None;
                shared.send(&mut state);
            }));
        }
        Ok(Place(&self.shared))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the batch in a task of its own, so that no caller's end ends it.
    fn send(self: &Arc<Self>, state: &mut State) {
        if let Some(timer) = state.timer.take() {
            timer.abort();
        }
        state.bytes = 0;
        let batch = mem::take(&mut state.batch);
        let shared = self.clone();
        tokio::spawn(async move { shared.exchange(batch).await });
    }

    async fn exchange(&self, mut batch: Vec<Waiting>) {
        // A caller that has given up is left out.
        batch.retain(|waiting| !waiting.answer.is_closed());
        if batch.is_empty() {
            return;
        }
        let tokens: Vec<_> = batch.iter().map(|waiting| waiting.token.as_str()).collect();
        match self.admin.validate(&tokens).await {
            Ok(results) => {
                for (waiting, result) in batch.into_iter().zip(results) {
                    // The caller may have given up meanwhile.
                    let _ = waiting.answer.send(Ok(result));
                }
            }
            Err(error) => {
                let error = unavailable(error);
                for waiting in batch {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl fmt::Debug for Batcher {
    /// Omits the tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Batcher").field("max_delay", &self.max_delay).finish_non_exhaustive()
    }
}

/// Returns the error of each caller of a failed batch. If the batch was refused, nothing is known about the tokens either.
fn unavailable(error: CallError) -> Unavailable {
    match error {
        CallError::Unavailable(error) => error,
        CallError::Refused(problem) => Unavailable::new(format!("a batch of checks was refused: {problem}")),
    }
}

impl Checker for Batcher {
    async fn check(&self, request: &ClientRequest<'_>, anonymous: Anonymous) -> Result<Verdict, Unavailable> {
        let Some((token, via)) = request.token(&self.cookie_name) else {
            return Ok(Verdict::of_anonymous(anonymous, Refusal::no_token));
        };
        let token = self.validate(token).await?.filter(|token| match via {
            Via::Header => token.allowed_header,
            Via::Cookie => token.allowed_cookie,
        });
        Ok(match token {
            Some(token) => Verdict::Allowed(Some(token.identity(via))),
            None => Verdict::of_anonymous(anonymous, Refusal::invalid_token),
        })
    }
}
