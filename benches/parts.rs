//! The parts of a validation, each timed alone: parsing a token string, looking a token up, a whole `/auth`, and
//! batches of cached tokens. Parts that use the network or Redis have a baseline measured in the same run.
//!
//! ```text
//! cargo bench --bench parts -- [--quick] [FILTER]
//! ```

#[path = "../tests/common/mod.rs"]
mod common;

use std::convert::Infallible;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use doorward::internals::config;
use doorward::internals::model::event::Actor;
use doorward::internals::model::token::{Texts, TokenDetails};
use doorward::internals::server;
use doorward::internals::store::alias::AliasOptions;
use doorward::internals::store::memory::MemoryStore;
use doorward::internals::store::redis::{CacheOptions, RedisOptions, RedisStore};
use doorward::internals::store::{Store, StoreLimits};
use doorward::internals::token_string::{Minted, TokenKeys, TokenKind, mint, parse};
use doorward::internals::values::{DurableWrites, RedisUrl};
use doorward::system::{Clock, Entropy};
use doorward::token::TokenRecord;
use doorward::{Access, Config, NewToken, Node, Token, Transport};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use common::http::{Client, Response as Answer, request_bytes};
use common::redis::RedisServer;

/// A typical user agent; its length affects the size of a record.
const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/126.0.0.0 Safari/537.36";
/// The tokens in a store; each look-up takes the next one.
const TOKENS: usize = 10_000;
const HOUR_MS: u64 = 3_600_000;

fn mint_for(user: &str, keys: &TokenKeys) -> Minted {
    mint(TokenKind::Session, keys, user, &Entropy::system()).unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Parsing of valid, forged and malformed token strings.
fn token_strings(c: &mut Criterion) {
    let keys = TokenKeys::from_secrets(["a"]).unwrap();
    let retired = TokenKeys::from_secrets(["b", "c", "d", "a"]).unwrap();
    let token_string = mint_for("alice", &keys).token_string;
    let forged = mint_for("alice", &TokenKeys::from_secrets(["not ours"]).unwrap()).token_string;
    let mut group = c.benchmark_group("token string");
    let mut one = |name: &str, keys: &TokenKeys, text: &str, is_ours: bool| {
        assert_eq!(parse(TokenKind::Session, keys, text.as_bytes()).is_some(), is_ours, "{name}");
        group
            .bench_function(name, |b| b.iter(|| parse(TokenKind::Session, keys, black_box(text.as_bytes()))));
    };
    one("valid", &keys, &token_string, true);
    one("valid, by the last of four keys", &retired, &token_string, true);
    one("forged", &keys, &forged, false);
    one(
        "malformed, of the right length",
        &keys,
        &format!("{}!", &token_string[..token_string.len() - 1]),
        false,
    );
    one("malformed, too short", &keys, "dw_short", false);
    group.finish();
    c.bench_function("mint", |b| b.iter(|| mint_for(black_box("alice"), &keys)));
}

fn record(n: usize, keys: &TokenKeys, now_ms: u64) -> Token {
    let user = format!("user-{n}");
    let minted = mint_for(&user, keys);
    let texts = Texts::new(&user, Some("web"), Some("django.contrib.auth.backends.ModelBackend"), None);
    let record = TokenRecord::issued(minted.id, minted.hash, texts, now_ms, HOUR_MS, now_ms + 24 * HOUR_MS);
    Token {
        record: Arc::new(record),
        details: Arc::new(TokenDetails {
            user_agent: USER_AGENT.into(),
            ip: "192.0.2.1".parse().unwrap(),
            expiration: true,
            related_objects: Vec::new(),
            origin: None,
        }),
        last_access_ms: now_ms,
        revoked: None,
    }
}

/// Sequential look-ups as validation does them, in both stores; a bare PING is the baseline for the round trip to
/// Redis.
fn look_ups(c: &mut Criterion) {
    let limits = StoreLimits { revoked_retention_ms: HOUR_MS, ..StoreLimits::DEFAULT };
    let server = RedisServer::start();
    let options = RedisOptions {
        url: RedisUrl::parse(&server.url()).unwrap(),
        trust: None,
        key_prefix: "dw:".into(),
        connections: 1,
        timeout: Duration::from_secs(5),
        cache: CacheOptions { entries: 0, lease_ms: 2000, stale_grace_ms: 0, catch_up_ms: 3000 },
        aliases: AliasOptions { entries: 0, look_ups_per_second: 1000 },
        accept_eviction: false,
        takeovers: true,
        replay_window_ms: 60_000,
        durable_writes: DurableWrites::None,
    };
    let memory = Store::Memory(Arc::new(MemoryStore::new(limits, TOKENS)));
    let redis = Store::Redis(RedisStore::new(options, limits, Clock::system()));
    let runtime = runtime();
    runtime.block_on(redis.probe()).unwrap();
    let mut group = c.benchmark_group("look-up");
    for store in [&memory, &redis] {
        let ids = runtime.block_on(fill(store));
        let reader = &runtime.block_on(store.reader());
        let mut next = ids.iter().cycle();
        group.bench_function(store.name(), |b| {
            b.to_async(&runtime).iter(|| {
                let id = *next.next().unwrap();
                async move { reader.record(id).await.unwrap().unwrap() }
            });
        });
    }
    let mut connection = runtime.block_on(TcpStream::connect(("127.0.0.1", server.port()))).unwrap();
    connection.set_nodelay(true).unwrap();
    group.bench_function("bare PING to the same Redis", |b| {
        b.iter(|| runtime.block_on(ping(&mut connection)))
    });
    group.finish();
}

async fn fill(store: &Store) -> Vec<doorward::internals::token_string::TokenId> {
    let keys = TokenKeys::from_secrets(["a"]).unwrap();
    let now_ms = Clock::system().now_ms();
    let mut ids = Vec::with_capacity(TOKENS);
    for n in 0..TOKENS {
        let token = record(n, &keys, now_ms);
        store.issue(&token, now_ms).await.unwrap().unwrap();
        ids.push(token.record.id);
    }
    ids
}

async fn ping(connection: &mut TcpStream) {
    let mut answer = [0; 7];
    connection.write_all(b"PING\r\n").await.unwrap();
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

/// A whole `/auth` over one keep-alive connection: the real server in this process on both stores, and bare hyper with
/// the same answer as the baseline.
fn auth(c: &mut Criterion) {
    let server = RedisServer::start();
    let mut group = c.benchmark_group("GET /auth");
    let mut shown = None;
    for (name, redis_url) in [("embedded store", None), ("Redis", Some(server.url()))] {
        let app = running_app(redis_url);
        let token_string = issue(&app);
        let bearer = format!("Bearer {token_string}");
        let request = request_bytes("GET", "/auth", &[("Authorization", &bearer)], None);
        let mut client = Client::new(&app.listen);
        let answer = client.send(&request);
        assert_eq!(answer.status, 200);
        group.bench_with_input(BenchmarkId::from_parameter(name), &request, |b, request| {
            b.iter(|| client.send(request));
        });
        shown = Some((request, answer));
    }
    let (request, answer) = shown.unwrap();
    let mut client = Client::new(&bare_hyper(&answer).to_string());
    assert_eq!(client.send(&request).status, 200);
    group.bench_function("bare hyper, same answer", |b| b.iter(|| client.send(&request)));
    group.finish();
}

/// A server in this process; shut down on drop.
struct RunningApp {
    listen: String,
    admin_listen: String,
    thread: Option<std::thread::JoinHandle<()>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

const ADMIN_KEY: &str = "parts-bench-admin-key-0123456789abcdef";

fn running_app(redis_url: Option<String>) -> RunningApp {
    let env = [
        ("DOORWARD_LISTEN", Some("127.0.0.1:0".to_owned())),
        ("DOORWARD_ADMIN_LISTEN", Some("127.0.0.1:0".to_owned())),
        ("DOORWARD_ADMIN_KEY", Some(ADMIN_KEY.to_owned())),
        ("DOORWARD_REDIS_URL", redis_url),
    ];
    let env = env.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into())));
    let config = doorward::internals::config::load_node(env).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (addresses, started) = mpsc::channel();
    let thread = std::thread::spawn(move || serve(config, &addresses, stopped));
    let (listen, admin_listen) = started.recv().unwrap();
    RunningApp { listen, admin_listen, thread: Some(thread), stop: Some(stop) }
}

fn serve(
    config: Config,
    addresses: &mpsc::Sender<(String, String)>,
    stopped: tokio::sync::oneshot::Receiver<()>,
) {
    runtime().block_on(async {
        let app = server::start(config, Clock::system(), Entropy::system()).await.unwrap();
        addresses.send((app.listen.clone(), app.admin_listen.clone())).unwrap();
        app.run(async { drop(stopped.await) }).await.unwrap();
    });
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn issue(app: &RunningApp) -> String {
    let body = json!({"user": "alice", "ip": "192.0.2.1", "user_agent": USER_AGENT, "auth_slug": "web"});
    let key = format!("Bearer {ADMIN_KEY}");
    let answer =
        Client::new(&app.admin_listen).request("POST", "/v1/tokens", &[("Authorization", &key)], Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// Starts a bare hyper server that answers every request with these headers until the process ends.
fn bare_hyper(answer: &Answer) -> SocketAddr {
    let own = |name: &str| ["date", "content-length"].iter().any(|own| name.eq_ignore_ascii_case(own));
    let headers: HeaderMap = answer
        .headers
        .iter()
        .filter(|(name, _)| !own(name))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        runtime().block_on(async move {
            let service = service_fn(|_: Request<Incoming>| {
                let mut answer = Response::new(Empty::<Bytes>::new());
                *answer.headers_mut() = headers.clone();
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let stream = TokioIo::new(TcpStream::from_std(stream).unwrap());
            // Ends when the client disconnects.
            let _ = http1::Builder::new().pipeline_flush(true).serve_connection(stream, service).await;
        });
    });
    address
}

/// Cached tokens without HTTP, singly and in batches of a thousand, and such batches over HTTP.
fn known_tokens(c: &mut Criterion) {
    let redis = RedisServer::start();
    let app = running_app(Some(redis.url()));
    let runtime = runtime();
    let config = node_config(&redis);
    let node = runtime.block_on(Node::start(&config)).unwrap();
    let validator = &runtime.block_on(node.validator());
    let wires: Vec<String> = runtime.block_on(async {
        // The node caches nothing until it hears of changes.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut wires = Vec::with_capacity(BATCH);
        for n in 0..BATCH {
            let mut login = NewToken::new(format!("user-{n}"), "192.0.2.1".parse().unwrap());
            login.user_agent = USER_AGENT.into();
            login.auth_slug = Some("web".into());
            wires.push(node.service().issue(login, Actor::Doorward).await.unwrap().token_string);
        }
        wires
    });
    let mut group = c.benchmark_group("known tokens");
    let mut next = wires.iter().cycle();
    group.bench_function("one, in process", |b| {
        b.to_async(&runtime).iter(|| {
            let token_string = next.next().unwrap().as_bytes();
            async move {
                validator.validate(token_string, Transport::Header, Access::Recorded).await.unwrap().unwrap()
            }
        });
    });
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("a thousand, in process", |b| {
        let wires = &wires;
        b.to_async(&runtime)
            .iter(|| async { validator.validate_batch(wires, Access::Recorded).await.unwrap() });
    });
    let key = format!("Bearer {ADMIN_KEY}");
    let body = json!({ "tokens": wires });
    let request = request_bytes("POST", "/v1/validate", &[("Authorization", &key)], Some(&body));
    let mut client = Client::new(&app.admin_listen);
    let answer = client.send(&request).json();
    assert!(answer["results"].as_array().unwrap().iter().all(|token| token["is_active"] == json!(true)));
    group.bench_function("a thousand, POST /v1/validate", |b| b.iter(|| client.send(&request)));
    group.finish();
    runtime.block_on(node.stop());
}

const BATCH: usize = 1000;

fn node_config(redis: &RedisServer) -> Config {
    config::load_node([("DOORWARD_REDIS_URL".into(), redis.url().into())]).unwrap()
}

criterion_group!(parts, token_strings, look_ups, auth, known_tokens);
criterion_main!(parts);
