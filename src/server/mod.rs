//! The server: a [`Node`](crate::node::Node) and its two listeners, started in one place and stopped in order.
//!
//! Threads: the caller's runtime has the admin plane, both acceptors and the workers; the validation plane's
//! connections are spread over threads of their own (`validation_threads`), each with its own runtime and its
//! own connection to the store, so that nothing on the hot path crosses threads.
//!
//! Stopping:
//! 1. Readiness fails. For `shutdown-delay` all else goes on.
//! 2. The listeners close. Connections that clients had made before that are accepted.
//! 3. Each connection ends with its next answer; one without a request ends [`LAST_REQUEST_WAIT`] later.
//! 4. What is still open at the drain timeout is cut off.
//! 5. The node writes what accesses are left and stops, in what is left of the drain timeout and at least 1 s.

pub mod accept;
pub mod admin;
pub mod auth;
pub mod descriptors;
pub mod grpc;
pub mod json;
pub mod request;
pub mod transport;
pub mod validation_threads;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::accept::accept;
use self::transport::{connection, tls};
use self::validation_threads::{Parts, Service, ValidationThreads};
use crate::clock::Clock;
use crate::config::definition::Config;
use crate::entropy::Entropy;
use crate::node::Node;
pub use crate::node::WorkerDied;
pub use crate::node::start_up::StartError;
use crate::server::admin::event_stream::FeedReaders;
use crate::server::admin::plane::AdminPlane;
use crate::server::admin::respond::respond;
use crate::server::admin::unauthorized_log::UnauthorizedLog;
use crate::server::auth::settings::Settings;
use crate::server::request::origin::Peer;
use crate::server::transport::connection::Spoken;
use crate::server::transport::connections::{Connections, OpenConnection};
use crate::server::transport::listener::{Accepted, Listener};
use crate::server::transport::tls::{HTTP_1, HTTP_2, Tls};
use crate::values::{ApiKey, ListenAddr, Scopes};

/// For this long a stopping server waits for a request on each connection: a proxy may have sent it before it could
/// know.
const LAST_REQUEST_WAIT: Duration = Duration::from_millis(200);

/// A running server.
pub struct App {
    /// The validation plane's real address.
    pub listen: String,
    /// The admin plane's real address.
    pub admin_listen: String,
    /// The real address of gRPC, when there is one.
    pub grpc_listen: Option<String>,
    /// Whether the validation plane speaks TLS.
    pub is_tls: bool,
    /// Whether the admin plane does.
    pub is_admin_tls: bool,
    /// The API key made for this run, when none was set.
    pub generated_admin_key: Option<String>,
    /// `memory` or `redis`.
    pub store_name: &'static str,
    node: Node,
    /// Of each listener.
    connections: Vec<Connections>,
    shutdown_delay: Duration,
    drain_timeout: Duration,
    validation: ValidationThreads,
    /// The acceptors; each holds its plane's listener.
    acceptors: JoinSet<()>,
    stop_accepting: watch::Sender<bool>,
    /// Those of the connections; the node has its own.
    workers: JoinSet<Infallible>,
}

impl App {
    /// Starts a server. When this returns it is listening, and has asked the store once.
    ///
    /// # Errors
    /// When an address cannot be bound, or the store's description is not usable.
    pub async fn start(config: Config, clock: Clock, entropy: Entropy) -> Result<Self, StartError> {
        let bind = |setting, address: &ListenAddr| {
            Listener::bind(address, config.unix_socket_mode, clock.clone())
                .map_err(|error| StartError::Bind { setting, address: address.to_string(), error })
        };
        let listener = bind("listen", &config.listen)?;
        let admin_listener = bind("admin-listen", &config.admin_listen)?;
        let grpc_listener =
            config.grpc_listen.as_ref().map(|address| bind("grpc-listen", address)).transpose()?;
        let threads = match config.validation_threads {
            0 => thread::available_parallelism()?.get(),
            threads => threads,
        };
        let budget = descriptors::budget(&config, threads);
        let tls = Tls::of_validation(&config, &[HTTP_2, HTTP_1], &clock)?;
        let grpc_tls = Tls::of_validation(&config, &[HTTP_2], &clock)?;
        let admin_tls = Tls::of_admin(&config, &clock)?;
        let (is_tls, is_admin_tls) = (tls.is_some(), admin_tls.is_some());
        let certificates: Vec<_> = [&tls, &grpc_tls, &admin_tls].into_iter().flatten().cloned().collect();
        let node = Node::start(&config, clock, entropy.clone()).await?;
        let settings = Settings::of(&config);

        let parts = Parts {
            service: node.service().clone(),
            settings: settings.clone(),
            readiness: node.readiness().clone(),
            tls,
            grpc_tls,
            request_timeout: Duration::from_millis(config.request_timeout_ms),
        };
        let validation = ValidationThreads::start(threads, parts, node.metrics()).await?;
        let mut api_keys = config.api_keys.clone();
        let generated = if api_keys.is_empty() { Some(generated_key(&entropy)?) } else { None };
        api_keys.extend(generated.iter().map(|(key, _)| key.clone()));
        let admin = Arc::new(AdminPlane {
            service: node.service().clone(),
            validator: node.validator_named("admin".into()).await,
            settings,
            api_keys,
            unauthorized: UnauthorizedLog::new(
                node.service().clock().clone(),
                node.metrics().admin_refusals.clone(),
            ),
            feed: FeedReaders::new(u64::from_ne_bytes(entropy.bytes()?)),
            metrics: node.metrics().clone(),
            readiness: node.readiness().clone(),
            request_timeout: Duration::from_millis(config.request_timeout_ms),
        });

        let (listen, admin_listen) = (listener.address(), admin_listener.address());
        let grpc_listen = grpc_listener.as_ref().map(Listener::address);
        let (mut acceptors, mut workers, mut connections) = (JoinSet::new(), JoinSet::new(), Vec::new());
        let (stop_accepting, stop) = watch::channel(false);
        let idle_timeout = Duration::from_millis(config.idle_timeout_ms);
        let clock = node.service().clock().clone();
        let mut connections_of = |max| {
            let of_listener = Connections::new(max, clock.clone());
            connections.push(of_listener.clone());
            workers.spawn(of_listener.clone().expire(idle_timeout));
            of_listener
        };
        let deal = validation.dealer(Service::Http);
        acceptors.spawn(accept(listener, connections_of(budget.validation), stop.clone(), deal));
        if let Some(listener) = grpc_listener {
            let deal = validation.dealer(Service::Grpc);
            acceptors.spawn(accept(listener, connections_of(budget.validation), stop.clone(), deal));
        }
        let serve = serve_admin(admin_tls, admin);
        acceptors.spawn(accept(admin_listener, connections_of(budget.admin), stop, serve));
        if !certificates.is_empty() {
            workers.spawn(tls::reload(certificates));
        }
        Ok(Self {
            listen,
            admin_listen,
            grpc_listen,
            is_tls,
            is_admin_tls,
            generated_admin_key: generated.map(|(_, key)| key),
            store_name: node.service().store().name(),
            node,
            connections,
            shutdown_delay: Duration::from_millis(config.shutdown_delay_ms),
            drain_timeout: Duration::from_millis(config.drain_timeout_ms),
            validation,
            acceptors,
            stop_accepting,
            workers,
        })
    }

    /// Runs until `stop` resolves, then stops in order. What was accepted is answered, what was recorded is
    /// written, as far as the drain timeout allows.
    ///
    /// # Errors
    /// When a worker died: nothing goes on without it.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), WorkerDied> {
        let died = |what: String| Err(WorkerDied(what));
        let result = tokio::select! {
            () = stop => Ok(()),
            died = self.node.died() => Err(died),
            Some(ended) = self.workers.join_next() => died(format!("{ended:?}")),
            Some(ended) = self.acceptors.join_next() => died(format!("{ended:?}")),
            thread = self.validation.died() => died(format!("validation thread {thread:?}")),
        };
        self.stop().await;
        result
    }

    async fn stop(mut self) {
        self.node.readiness().drain();
        tokio::time::sleep(self.shutdown_delay).await;
        let clock = self.node.service().clock().clone();
        let began_ms = clock.boottime_ms();
        if tokio::time::timeout(self.drain_timeout, self.end_connections()).await.is_err() {
            tracing::warn!("connections cut off at the drain timeout");
        }
        self.acceptors.shutdown().await;
        self.workers.shutdown().await;
        let spent = Duration::from_millis(clock.boottime_ms().saturating_sub(began_ms));
        self.node.stop_within(self.drain_timeout.saturating_sub(spent)).await;
    }

    async fn end_connections(&mut self) {
        self.stop_accepting.send_replace(true);
        self.connections.iter().for_each(Connections::drain);
        self.node.service().store().feed().close();
        while self.acceptors.join_next().await.is_some() {}
        tokio::time::sleep(LAST_REQUEST_WAIT).await;
        self.connections.iter().for_each(Connections::close_idle);
        for connections in &self.connections {
            connections.all_ended().await;
        }
    }
}

/// An API key with all scopes for this run only, and its text.
fn generated_key(entropy: &Entropy) -> Result<(ApiKey, String), SysError> {
    let text = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()?);
    let hash = ApiKey::hash_of(text.as_bytes());
    Ok((ApiKey { name: "generated".into(), scopes: Scopes::all(), hash }, text))
}

/// Serves connections of the admin plane on the current runtime.
fn serve_admin(
    tls: Option<Arc<Tls>>,
    admin: Arc<AdminPlane>,
) -> impl FnMut(Accepted, OpenConnection) -> Ready<()> {
    move |accepted, open| {
        let admin = admin.clone();
        let tls = tls.as_ref().map(|tls| tls.acceptor());
        let peer = Peer::new(accepted.address, &admin.settings.trusted_proxies);
        tokio::spawn(async move {
            let respond = |request| respond(admin.clone(), request, peer);
            connection::serve(accepted.socket, tls, open, Spoken::Http1, respond).await;
        });
        ready(())
    }
}
