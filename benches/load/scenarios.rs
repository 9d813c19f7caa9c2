//! The rows of the published table: what each compares, and its set-up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::Result;
use crate::baseline::{Baseline, TWO_HEADERS};
use crate::client::Connection;
use crate::epoll;
use crate::generator::{Load, Request};
use crate::measure::{Pairs, Side};
use crate::minimal_login;
use crate::redis_server::RedisServer;
use crate::subject::Doorward;

/// The number of tokens to pick from.
const TOKENS: usize = 10_000;

/// The store of Doorward.
#[derive(Clone, Copy)]
enum Store {
    Memory,
    /// `None` keeps the default of `cache-entries`.
    Redis {
        cache_entries: Option<u32>,
    },
}

/// The tokens in the requests.
#[derive(Clone, Copy)]
enum Sent {
    Valid,
    /// Well-formed tokens with invalid MACs.
    Forged,
    /// No token at all.
    Missing,
    /// Valid tokens, a hundred in one call of the admin plane.
    Batch,
    /// Logins on the admin plane, while a second node hears of them.
    Login,
}

/// The reference of a comparison.
#[derive(Clone, Copy, PartialEq)]
enum Reference {
    /// Bare hyper under the same load, with the same headers as Doorward.
    BareHyper,
    /// Bare hyper under the same load, always 200 with two headers.
    BareHyperTwoHeaders,
    /// Doorward with one `GET /auth` at a time on each connection.
    PlainAuth,
    /// An epoll loop that parses nothing, under the same load, with the same bytes as Doorward.
    Epoll,
    /// A minimal login on the same Redis.
    MinimalLogin,
}

/// One row.
pub struct Scenario {
    /// Its name on the command line and in the table.
    pub name: &'static str,
    /// Whether it is measured if no scenario is named.
    pub is_default: bool,
    store: Store,
    sent: Sent,
    depth: usize,
    reference: Reference,
}

const UNCACHED: Store = Store::Redis { cache_entries: Some(0) };
const CACHED: Store = Store::Redis { cache_entries: None };

/// All rows, in the order of the table.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { is_default: true, store: UNCACHED, ..Scenario::named("auth-redis") },
    Scenario { is_default: true, ..Scenario::named("auth-memory") },
    Scenario { is_default: true, sent: Sent::Forged, ..Scenario::named("forged") },
    Scenario { store: CACHED, ..Scenario::named("auth-redis-cached") },
    Scenario { store: CACHED, reference: Reference::Epoll, ..Scenario::named("cached-by-epoll") },
    Scenario { reference: Reference::BareHyperTwoHeaders, ..Scenario::named("auth-memory-two-headers") },
    Scenario { sent: Sent::Missing, ..Scenario::named("missing") },
    Scenario { depth: 8, ..Scenario::named("pipelined") },
    Scenario { depth: 8, reference: Reference::PlainAuth, ..Scenario::named("pipelined-by-plain") },
    Scenario {
        store: CACHED,
        depth: 8,
        reference: Reference::PlainAuth,
        ..Scenario::named("pipelined-cached")
    },
    Scenario {
        store: CACHED,
        sent: Sent::Batch,
        reference: Reference::PlainAuth,
        ..Scenario::named("batch-cached")
    },
    Scenario { sent: Sent::Batch, reference: Reference::PlainAuth, ..Scenario::named("batch") },
    Scenario {
        store: UNCACHED,
        sent: Sent::Batch,
        reference: Reference::PlainAuth,
        ..Scenario::named("batch-redis")
    },
    Scenario {
        store: CACHED,
        sent: Sent::Login,
        reference: Reference::MinimalLogin,
        ..Scenario::named("login")
    },
];

/// A server under measurement, and its Redis.
struct SetUp {
    redis: Option<RedisServer>,
    doorward: Doorward,
    /// A second node on the same Redis, for logins.
    _other: Option<Doorward>,
    tokens: Arc<[String]>,
}

impl SetUp {
    fn side(&self, scenario: &Scenario) -> Side<'_> {
        let load = scenario.load(&self.doorward, &self.tokens);
        Side { load, process: &self.doorward.process, redis: self.redis.as_ref() }
    }
}

impl Scenario {
    /// Returns the row of this name.
    pub fn find(name: &str) -> Result<&'static Self> {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
        Ok(found.ok_or_else(|| format!("no scenario {name}"))?)
    }

    /// Returns the row with valid tokens on the embedded store, compared with bare hyper.
    const fn named(name: &'static str) -> Self {
        Self {
            name,
            is_default: false,
            store: Store::Memory,
            sent: Sent::Valid,
            depth: 1,
            reference: Reference::BareHyper,
        }
    }

    /// Returns the description of the reference for the table.
    pub fn reference_name(&self) -> &'static str {
        match self.reference {
            Reference::BareHyper => "bare hyper, same answer",
            Reference::BareHyperTwoHeaders => "bare hyper, two headers",
            Reference::PlainAuth => "its own plain `/auth`",
            Reference::Epoll => "epoll loop, same bytes",
            Reference::MinimalLogin => "a minimal login",
        }
    }

    /// Sets everything up for each of these servers, measures, and tears it down. Returns the pairs of each server with
    /// the reference, and the version of Redis. If the reference is Doorward, it is the last server.
    ///
    /// # Errors
    /// If a server does not start, or gives an unexpected answer.
    pub fn measure(
        &self,
        servers: &[&Path],
        pairs: u32,
        duration: Duration,
    ) -> Result<(Vec<Pairs>, Option<String>)> {
        let setups: Vec<_> = servers.iter().map(|server| self.set_up(server)).collect::<Result<_>>()?;
        let last = setups.last().ok_or("no server to measure")?;
        let head = probe(&self.load(&last.doorward, &last.tokens))?;
        let baseline = match self.reference {
            Reference::BareHyper => Some(Baseline::start(&head)?),
            Reference::BareHyperTwoHeaders => Some(Baseline::start(TWO_HEADERS)?),
            Reference::PlainAuth => None,
            Reference::Epoll => Some(epoll::start(&head)?),
            Reference::MinimalLogin => {
                let redis = last.redis.as_ref().ok_or("a login needs Redis")?;
                Some(minimal_login::start(&redis.url())?)
            }
        };
        let reference = match &baseline {
            Some(baseline) => {
                let load = Load { address: baseline.address, ..self.load(&last.doorward, &last.tokens) };
                let redis = last.redis.as_ref().filter(|_| self.reference == Reference::MinimalLogin);
                Side { load, process: &baseline.process, redis }
            }
            None => {
                let request = Request::Get { path: "/auth", tokens: last.tokens.clone() };
                let address = last.doorward.address;
                let load = Load { address, request, expected_status: 200, depth: 1, pace: None };
                Side { load, ..last.side(self) }
            }
        };
        let subjects: Vec<_> = setups.iter().map(|setup| setup.side(self)).collect();
        let pairs = Pairs::measure(&reference, &subjects, pairs, duration)?;
        let version = last.redis.as_ref().map(RedisServer::version).transpose()?;
        Ok((pairs, version))
    }

    /// Starts a server with the scenario's tokens, cached if possible.
    fn set_up(&self, server: &Path) -> Result<SetUp> {
        let redis = match self.store {
            Store::Memory => None,
            Store::Redis { .. } => Some(RedisServer::start()?),
        };
        let settings = self.settings(redis.as_ref());
        let doorward = Doorward::start(server, &settings)?;
        let is_login = matches!(self.sent, Sent::Login);
        let other = is_login.then(|| Doorward::start(server, &settings)).transpose()?;
        let tokens: Arc<[String]> = match self.sent {
            Sent::Valid | Sent::Batch => doorward.issue_tokens(TOKENS)?,
            Sent::Forged => forged_tokens(TOKENS),
            Sent::Missing | Sent::Login => Vec::new(),
        }
        .into();
        if matches!(self.sent, Sent::Valid | Sent::Batch) {
            doorward.validate_each(&tokens)?;
        }
        Ok(SetUp { redis, doorward, _other: other, tokens })
    }

    fn settings(&self, redis: Option<&RedisServer>) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if let Some(redis) = redis {
            settings.push(("DOORWARD_REDIS_URL", redis.url()));
        }
        if let Store::Redis { cache_entries: Some(entries) } = self.store {
            settings.push(("DOORWARD_CACHE_ENTRIES", entries.to_string()));
        }
        settings
    }

    fn load(&self, doorward: &Doorward, tokens: &Arc<[String]>) -> Load {
        let auth = || Request::Get { path: "/auth", tokens: tokens.clone() };
        let (address, request, expected_status) = match self.sent {
            Sent::Valid => (doorward.address, auth(), 200),
            Sent::Forged => (doorward.address, auth(), 401),
            Sent::Missing => (doorward.address, Request::AuthWithoutToken, 401),
            Sent::Batch => {
                let admin_key = doorward.admin_key().to_owned();
                (doorward.admin_address, Request::Batch { tokens: tokens.clone(), admin_key }, 200)
            }
            Sent::Login => (doorward.admin_address, Request::Login { admin_key: doorward.admin_key() }, 201),
        };
        Load { address, request, expected_status, depth: self.depth, pace: None }
    }
}

/// Returns well-formed strings: 48 characters of base64url, of which the last eight bytes are an invalid MAC.
fn forged_tokens(count: usize) -> Vec<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut rng = StdRng::seed_from_u64(1);
    let mut character = || char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]);
    (0..count).map(|_| format!("dw_{}", (0..48).map(|_| character()).collect::<String>())).collect()
}

/// Sends the load's request once and returns the answer's head.
///
/// # Errors
/// If the answer is unexpected, or not every token of a batch is active.
pub fn probe(load: &Load) -> Result<Vec<u8>> {
    let mut request = Vec::new();
    load.request.write(&mut StdRng::seed_from_u64(0), &mut request);
    crate::current_thread_runtime()?.block_on(async {
        let mut connection = Connection::open(load.address).await?;
        let status = connection.exchange(&request).await?;
        if status != load.expected_status {
            let head = connection.head().escape_ascii();
            return Err(format!("the endpoint did not answer {}: {head}", load.expected_status).into());
        }
        if matches!(load.request, Request::Batch { .. }) {
            let answer: Value = serde_json::from_slice(connection.body())?;
            let results = answer["results"].as_array().ok_or("a batch answered without results")?;
            let active = results.iter().filter(|result| result["is_active"] == true).count();
            if active as u64 != load.request.validations() {
                return Err(format!("a batch of valid tokens answered {active} active ones").into());
            }
        }
        Ok(connection.head().to_vec())
    })
}
