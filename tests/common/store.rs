//! The stores that run the contract, and dumps of Redis.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use doorward::internals::foreign::ForeignDigest;
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::token::{Texts, TokenDetails};
use doorward::internals::store::alias::AliasOptions;
use doorward::internals::store::memory::MemoryStore;
use doorward::internals::store::record_reader::RecordReader;
use doorward::internals::store::redis::{CacheOptions, RedisOptions, RedisStore};
use doorward::internals::store::{Store, StoreLimits};
use doorward::internals::token_string;
use doorward::internals::token_string::{Minted, TokenId, TokenKeys, TokenKind};
use doorward::internals::values::{DurableWrites, RedisUrl};
use doorward::system::{Clock, Entropy};
use doorward::token::TokenRecord;
use doorward::{StoreError, Token, TokenChange};

use super::cluster::RedisCluster;
use super::process::DEADLINE_MS;
use super::redis::RedisServer;

mod owned;
mod tokens;

pub use self::tokens::*;

pub const MINUTE_MS: u64 = 60_000;
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
pub const DAY_MS: u64 = 24 * HOUR_MS;
/// The start of the tests' manual time.
pub const NOW_MS: u64 = 1_800_000_000_000;

/// The default limits.
pub const LIMITS: StoreLimits = StoreLimits::DEFAULT;
/// A timeout that no operation reaches on a working machine.
const PATIENCE: Duration = Duration::from_millis(DEADLINE_MS);

/// A store variant and the server it needs. A new variant needs a line in `each_store!` (tests/integration.rs) and an
/// arm in [`TestStore::open_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    Memory,
    RedisTcp,
    RedisUnix,
    Valkey,
    Valkey8,
    Cluster,
}

/// A store for one test: on Redis, by a unique key prefix.
pub struct TestStore {
    pub store: Store,
    reader: RecordReader,
    servers: Servers,
    prefix: String,
    entropy: Entropy,
}

impl TestStore {
    pub async fn open(kind: StoreKind) -> Self {
        Self::open_with(kind, LIMITS).await
    }

    pub async fn open_with(kind: StoreKind, limits: StoreLimits) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = match kind {
            StoreKind::RedisUnix => format!("an app's/sessions {number}:"),
            _ => format!("dw:{number}:"),
        };
        let servers = Servers::shared(kind);
        let url = match &servers {
            Servers::None => {
                let store = Store::Memory(Arc::new(MemoryStore::new(limits, 100_000)));
                return Self::new(store, String::new()).await;
            }
            Servers::One(server) if kind == StoreKind::RedisUnix => {
                // The prefix differs from the shipped user's; a key pattern has no spaces.
                server.set_user(&["~an?app's/sessions?*", "&an?app's/sessions?*"]);
                server.unix_url()
            }
            Servers::One(server) => server.url(),
            Servers::Cluster(cluster) => cluster.url(),
        };
        Self { servers, ..open_redis(&url, &prefix, limits, PATIENCE, Clock::manual(NOW_MS)).await }
    }

    /// Opens another node's store of the same data, with limits of its own.
    pub async fn sibling(&self, limits: StoreLimits) -> Self {
        let (servers, url) = match &self.servers {
            Servers::None => panic!("the embedded store has one node"),
            Servers::One(server) => (Servers::One(server.clone()), server.url()),
            Servers::Cluster(cluster) => (Servers::Cluster(cluster.clone()), cluster.url()),
        };
        Self { servers, ..open_redis(&url, &self.prefix, limits, PATIENCE, Clock::manual(NOW_MS)).await }
    }

    /// Opens a store with the default key prefix on the test's own server.
    pub async fn on_server(server: &RedisServer, limits: StoreLimits, timeout: Duration) -> Self {
        Self::at_url(&server.url(), limits, timeout).await
    }

    /// As [`TestStore::on_server`], with a timeout that is never reached.
    pub async fn alone_on(server: &RedisServer) -> Self {
        Self::on_server(server, LIMITS, PATIENCE).await
    }

    /// Opens a store on the test's own server; the store follows the server's clock.
    pub async fn in_real_time(server: &RedisServer) -> Self {
        let on = open_redis(&server.url(), "dw:", LIMITS, PATIENCE, Clock::system()).await;
        on.store.probe().await.unwrap();
        on
    }

    async fn new(store: Store, prefix: String) -> Self {
        let reader = store.reader().await;
        Self { store, reader, servers: Servers::None, prefix, entropy: Entropy::seeded(1) }
    }

    pub fn server(&self) -> &RedisServer {
        match &self.servers {
            Servers::One(server) => server,
            _ => panic!("not a store on one shared server"),
        }
    }

    /// Returns the prefix of all its keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub fn entropy(&self) -> &Entropy {
        &self.entropy
    }

    pub fn mint(&self, user: &str) -> Minted {
        let keys = TokenKeys::from_secrets(["a check key of the tests"]).unwrap();
        token_string::mint(TokenKind::Session, &keys, user, &self.entropy).unwrap()
    }

    /// Returns a token that is not issued yet: an hour of idle time, 30 days of lifetime.
    pub fn sample(&self, user: &str, now_ms: u64) -> Token {
        let minted = self.mint(user);
        let texts = Texts::new(user, None, None, None);
        let ends_at_ms = now_ms + 30 * DAY_MS;
        let record = TokenRecord::issued(minted.id, minted.hash, texts, now_ms, HOUR_MS, ends_at_ms);
        Token {
            record: Arc::new(record),
            details: Arc::new(TokenDetails {
                user_agent: String::new(),
                ip: "203.0.113.7".parse().unwrap(),
                expiration: true,
                related_objects: Vec::new(),
                origin: None,
            }),
            last_access_ms: now_ms,
            revoked: None,
        }
    }

    /// Issues a sample and asserts that it revokes no other token.
    pub async fn issue(&self, user: &str, now_ms: u64) -> Token {
        self.issue_idle(user, HOUR_MS, now_ms).await
    }

    pub async fn issue_idle(&self, user: &str, idle_ms: u64, now_ms: u64) -> Token {
        let token = with_idle(self.sample(user, now_ms), idle_ms);
        assert_eq!(self.keep(&token, now_ms).await, []);
        token
    }

    /// Issues a token that expires after an hour, and that an access may renew to any time before its end.
    pub async fn issue_renewable(&self, user: &str, now_ms: u64) -> Token {
        let token = edited(self.sample(user, now_ms), |record| record.idle_ms = 30 * DAY_MS);
        assert_eq!(self.keep(&token, now_ms).await, []);
        token
    }

    /// Issues a token; returns the tokens revoked to make room for it.
    pub async fn keep(&self, token: &Token, now_ms: u64) -> Vec<TokenId> {
        keep(&self.store, token, now_ms).await
    }

    /// Revokes a token that is not revoked yet.
    pub async fn revoke(&self, token: &Token, now_ms: u64) {
        let change = TokenChange::revoking(RevokeReason::Ended);
        self.store.change(token.record.id, &change, now_ms).await.unwrap().unwrap();
    }

    pub async fn token(&self, token: &Token, now_ms: u64) -> Option<Token> {
        self.store.token(token.record.id, now_ms).await.unwrap()
    }

    pub async fn record(&self, id: TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        self.reader.record(id).await
    }

    /// Returns the token of the alias of this digest, as the store has it.
    pub async fn alias(&self, digest: &ForeignDigest, now_ms: u64) -> Option<TokenId> {
        self.reader.alias([*digest].into(), None, now_ms).await.unwrap().map(|(_, id)| id)
    }

    /// Writes an access as a node does at once after the access.
    pub async fn touch(&self, token: &Token, access_ms: u64, renew_to_ms: Option<u64>) {
        self.store.touch(&[touch(token, access_ms, renew_to_ms)], access_ms).await.unwrap();
    }

    /// Returns the ids in the user's listing, in its order.
    pub async fn listed(&self, user: &str, now_ms: u64) -> Vec<TokenId> {
        let tokens = self.store.user_tokens(user, now_ms).await.unwrap();
        tokens.iter().map(|token| token.record.id).collect()
    }

    /// Returns the keys of this store and their TTLs in milliseconds, -1 for none. Empty on the embedded store.
    pub fn ttls(&self) -> BTreeMap<String, i64> {
        self.masters().flat_map(|master| ttls(master, &self.prefix)).collect()
    }

    /// Returns the content of this store's keys. Empty on the embedded store.
    pub fn dump(&self) -> Vec<RawKey> {
        self.masters().flat_map(|master| dump(master, &self.prefix)).collect()
    }

    /// Ages this store's keys by this time: Redis counts TTLs in real time, which no manual clock moves.
    pub fn age(&self, by_ms: u64) {
        const SCRIPT: &str = "for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do \
            local left = redis.call('PTTL', k) \
            if left >= 0 then redis.call('PEXPIRE', k, left - tonumber(ARGV[2])) end end";
        for master in self.masters() {
            let mut age = redis::cmd("EVAL");
            age.arg(SCRIPT).arg(0).arg(&self.prefix).arg(by_ms);
            age.exec(&mut raw_connection(master)).unwrap();
        }
    }

    pub fn masters(&self) -> impl Iterator<Item = &RedisServer> {
        match &self.servers {
            Servers::None => [].iter(),
            Servers::One(server) => std::slice::from_ref(&**server).iter(),
            Servers::Cluster(cluster) => cluster.masters.iter(),
        }
    }
}

/// Issues a token within the user's limit; returns the tokens revoked to make room for it.
pub async fn keep(store: &Store, token: &Token, now_ms: u64) -> Vec<TokenId> {
    store.issue(token, now_ms).await.unwrap().unwrap()
}

async fn open_redis(
    url: &str,
    prefix: &str,
    limits: StoreLimits,
    timeout: Duration,
    clock: Clock,
) -> TestStore {
    let options = RedisOptions {
        url: RedisUrl::parse(url).unwrap(),
        trust: None,
        key_prefix: prefix.to_owned(),
        connections: 8,
        timeout,
        // The contract covers the store alone; tests/history checks the near cache.
        cache: CacheOptions { entries: 0, lease_ms: 2000, stale_grace_ms: 0, catch_up_ms: 3000 },
        aliases: AliasOptions { entries: 0, look_ups_per_second: 1_000_000 },
        accept_eviction: false,
        takeovers: true,
        replay_window_ms: 60_000,
        durable_writes: DurableWrites::None,
    };
    let store = Store::Redis(RedisStore::new(options, limits, clock));
    TestStore::new(store, prefix.to_owned()).await
}

/// The server under a test's store; it runs as long as a test uses it.
enum Servers {
    /// The embedded store, or the test's own server.
    None,
    One(Arc<RedisServer>),
    Cluster(Arc<RedisCluster>),
}

impl Servers {
    /// Servers that the tests of a binary share.
    fn shared(kind: StoreKind) -> Self {
        static REDIS: Mutex<Weak<RedisServer>> = Mutex::new(Weak::new());
        static VALKEY: Mutex<Weak<RedisServer>> = Mutex::new(Weak::new());
        static VALKEY_8: Mutex<Weak<RedisServer>> = Mutex::new(Weak::new());
        static CLUSTER: Mutex<Weak<RedisCluster>> = Mutex::new(Weak::new());
        match kind {
            StoreKind::Memory => Self::None,
            StoreKind::RedisTcp | StoreKind::RedisUnix => Self::One(shared(&REDIS, RedisServer::start)),
            StoreKind::Valkey => Self::One(shared(&VALKEY, RedisServer::start_valkey)),
            StoreKind::Valkey8 => Self::One(shared(&VALKEY_8, RedisServer::start_valkey_8)),
            StoreKind::Cluster => Self::Cluster(shared(&CLUSTER, RedisCluster::start)),
        }
    }
}

/// Returns the shared server, or starts one. It stops with the last test that uses it: a static one would outlive the
/// process.
fn shared<T>(place: &Mutex<Weak<T>>, start: impl FnOnce() -> T) -> Arc<T> {
    let mut shared = place.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// Returns the keys that start with `prefix` and their TTLs in milliseconds, -1 for none. The prefix has no special
/// characters of patterns.
pub fn ttls(server: &RedisServer, prefix: &str) -> BTreeMap<String, i64> {
    const SCRIPT: &str = "local r = {} for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do \
        r[#r + 1] = k r[#r + 1] = redis.call('PTTL', k) end return r";
    let mut ttls = redis::cmd("EVAL");
    ttls.arg(SCRIPT).arg(0).arg(prefix);
    let keys: Vec<(Vec<u8>, i64)> = ttls.query(&mut raw_connection(server)).unwrap();
    keys.into_iter().map(|(key, ttl_ms)| (String::from_utf8_lossy(&key).into_owned(), ttl_ms)).collect()
}

/// A key of Redis.
#[derive(Clone, Debug)]
pub struct RawKey {
    /// Its name without the store's prefix.
    pub name: String,
    pub ttl_ms: i64,
    /// Fields and values of a hash, members and scores of a sorted set, or the value of a string under an empty name.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Returns the content of the keys that start with `prefix`, which has no special characters of patterns.
pub fn dump(server: &RedisServer, prefix: &str) -> Vec<RawKey> {
    const SCRIPT: &str = "local r = {} for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do \
        local kind, all = redis.call('TYPE', k).ok, {} \
        if kind == 'string' then all = { '', redis.call('GET', k) } end \
        if kind == 'hash' then all = redis.call('HGETALL', k) end \
        if kind == 'zset' then all = redis.call('ZRANGE', k, 0, -1, 'WITHSCORES') end \
        r[#r + 1] = { k, redis.call('PTTL', k), all } end return r";
    let mut dump = redis::cmd("EVAL");
    dump.arg(SCRIPT).arg(0).arg(prefix);
    let keys: Vec<(Vec<u8>, i64, Vec<Vec<u8>>)> = dump.query(&mut raw_connection(server)).unwrap();
    let key = |(name, ttl_ms, all): (Vec<u8>, i64, Vec<Vec<u8>>)| {
        let name = String::from_utf8(name).unwrap().strip_prefix(prefix).unwrap().to_owned();
        let entries = all.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        RawKey { name, ttl_ms, entries }
    };
    keys.into_iter().map(key).collect()
}

/// Opens a plain connection to Redis.
pub fn raw_connection(server: &RedisServer) -> redis::Connection {
    redis::Client::open(server.admin_url()).unwrap().get_connection().unwrap()
}

/// Polls until there is a value; panics after the deadline.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let started_ms = clock.boottime_ms();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(clock.boottime_ms() - started_ms < DEADLINE_MS, "{what}: not within {DEADLINE_MS} ms");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
