//! The server: a [`Node`](crate::node::Node) and its two listeners, started in one place and stopped in order.
//!
//! Threads: the caller's runtime has the admin plane, both acceptors and the workers; the validation plane's
//! connections are spread over threads of their own (`validation_threads`), each with its own runtime and its
//! own connection to the store, so that nothing on the hot path crosses threads.
//!
//! Stopping: readiness fails; the listeners close; connections end after the request at hand, or at the drain
//! timeout; the node writes what accesses are left and stops; the process ends.

mod validation_threads;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::validation_threads::{Parts, ValidationThreads};
use crate::clock::Clock;
use crate::config::{ApiKey, Config, Scopes};
use crate::entropy::Entropy;
use crate::http::admin::Admin;
use crate::http::admin::feed::FeedReaders;
use crate::http::admin::refusals::Refusals;
use crate::http::connection::{self, Spoken};
use crate::http::connections::Connections;
use crate::http::listener::Listener;
use crate::http::received::Peer;
use crate::http::validation::Settings;
use crate::node::Node;
pub use crate::node::{StartError, WorkerDied};
use crate::tls::{self, HTTP_1, HTTP_2, Tls};

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
    open: Connections,
    drain_timeout: Duration,
    validation: ValidationThreads,
    /// The acceptors; each holds its plane's listener.
    acceptors: JoinSet<()>,
    admin_connections: Arc<Semaphore>,
    max_connections: usize,
    /// Those of the connections; the node has its own.
    workers: JoinSet<Infallible>,
}

impl App {
    /// Starts a server. When this returns it is listening, and has asked the store once.
    ///
    /// # Errors
    /// When an address cannot be bound, or the store's description is not usable.
    pub async fn start(config: Config, clock: Clock, entropy: Entropy) -> Result<Self, StartError> {
        let listener = Listener::bind(&config.listen).map_err(|e| StartError::bind("listen", e))?;
        let admin_listener =
            Listener::bind(&config.admin_listen).map_err(|e| StartError::bind("admin-listen", e))?;
        let grpc_listener = config.grpc_listen.as_ref().map(Listener::bind).transpose();
        let grpc_listener = grpc_listener.map_err(|e| StartError::bind("grpc-listen", e))?;
        let tls = Tls::of_validation(&config, &[HTTP_2, HTTP_1], &clock)?;
        let grpc_tls = Tls::of_validation(&config, &[HTTP_2], &clock)?;
        let admin_tls = Tls::of_admin(&config, &clock)?;
        let (is_tls, is_admin_tls) = (tls.is_some(), admin_tls.is_some());
        let certificates: Vec<_> = [&tls, &grpc_tls, &admin_tls].into_iter().flatten().cloned().collect();
        let node = Node::start(&config, clock, entropy.clone()).await?;
        let settings = Settings::of(&config);

        let open = Connections::new(node.service().clock().clone());
        let parts = Parts {
            service: node.service().clone(),
            settings: settings.clone(),
            readiness: node.readiness().clone(),
            open: open.clone(),
            tls,
            grpc_tls,
            request_timeout: Duration::from_millis(config.request_timeout_ms),
        };
        let mut validation = ValidationThreads::start(
            config.validation_threads,
            config.max_connections,
            parts,
            node.metrics(),
        )
        .await?;
        let mut api_keys = config.api_keys.clone();
        let generated = if api_keys.is_empty() { Some(generated_key(&entropy)?) } else { None };
        api_keys.extend(generated.iter().map(|(key, _)| key.clone()));
        let admin = Arc::new(Admin {
            service: node.service().clone(),
            validator: node.validator_named("admin".into()).await,
            settings,
            api_keys,
            refusals: Refusals::new(node.service().clock().clone(), node.metrics().admin_refusals.clone()),
            feed: FeedReaders::new(u64::from_ne_bytes(entropy.bytes()?)),
            metrics: node.metrics().clone(),
            readiness: node.readiness().clone(),
            request_timeout: Duration::from_millis(config.request_timeout_ms),
        });

        let (listen, admin_listen) = (listener.address(), admin_listener.address());
        let grpc_listen = grpc_listener.as_ref().map(Listener::address);
        let admin_connections = Arc::new(Semaphore::new(config.max_connections));
        let mut acceptors = JoinSet::new();
        acceptors.spawn(validation.accept(listener, validation_threads::Service::Http));
        if let Some(listener) = grpc_listener {
            acceptors.spawn(validation.accept(listener, validation_threads::Service::Grpc));
        }
        acceptors.spawn(accept_admin(
            admin_listener,
            admin_tls,
            admin,
            admin_connections.clone(),
            open.clone(),
        ));
        let mut workers = JoinSet::new();
        workers.spawn(open.clone().expire(Duration::from_millis(config.idle_timeout_ms)));
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
            open,
            drain_timeout: Duration::from_millis(config.drain_timeout_ms),
            validation,
            acceptors,
            admin_connections,
            max_connections: config.max_connections,
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
        self.acceptors.shutdown().await;
        self.open.drain();
        self.node.service().store().feed().close();
        let all_ended = async {
            let all = u32::try_from(self.max_connections).unwrap_or(u32::MAX);
            let _ = self.admin_connections.acquire_many(all).await;
            self.validation.idle().await;
        };
        if tokio::time::timeout(self.drain_timeout, all_ended).await.is_err() {
            tracing::warn!("connections were cut off at the drain timeout");
        }
        self.workers.shutdown().await;
        self.node.stop().await;
    }
}

/// An API key with all scopes for this run only, and its text.
fn generated_key(entropy: &Entropy) -> Result<(ApiKey, String), SysError> {
    let text = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()?);
    let hash = ApiKey::hash_of(text.as_bytes());
    Ok((ApiKey { name: "generated".into(), scopes: Scopes::all(), hash }, text))
}

async fn accept_admin(
    listener: Listener,
    tls: Option<Arc<Tls>>,
    admin: Arc<Admin>,
    connections: Arc<Semaphore>,
    open: Connections,
) {
    loop {
        // Full: the next connection waits in the kernel's queue. The semaphore is never closed.
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        let accepted = listener.accept().await;
        let (admin, open) = (admin.clone(), open.open());
        let tls = tls.as_ref().map(|tls| tls.acceptor());
        let peer = Peer::new(accepted.address, &admin.settings.trusted_proxies);
        tokio::spawn(async move {
            connection::serve(accepted.socket, tls, open, Spoken::Http1, |request| {
                admin.respond(request, peer)
            })
            .await;
            drop(permit);
        });
    }
}
