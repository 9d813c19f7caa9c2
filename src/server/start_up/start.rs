//! Starts a server.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;
use tokio::task::JoinSet;

use super::descriptors::{ConnectionLimits, DescriptorDemand, connection_limits, validation_thread_count};
use super::error::ServerStartError;
use super::listeners::{Listeners, TlsOfListeners};
use super::serve_admin::{ServeAdmin, ServeMetrics};
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::node::Node;
use crate::node::metrics::Metrics;
use crate::request_check::settings::ValidationSettings;
use crate::server::acceptors::Acceptors;
use crate::server::admin::api_keys::ApiKeys;
use crate::server::admin::event_stream::FeedReaders;
use crate::server::admin::plane::{AdminPlane, UnauthorizedLog};
use crate::server::auth::access_log::AccessLogOptions;
use crate::server::metrics::admin_calls::AdminCalls;
use crate::server::metrics::connections::{ConnectionsByListener, encode as encode_connections};
use crate::server::metrics::plane::MetricsPlane;
use crate::server::metrics::{api_keys, certificates, feed_readers, reload};
use crate::server::reload::reloader::{Reloader, log_expiries};
use crate::server::reload::status::ReloadStatus;
use crate::server::request::span::RequestTracer;
use crate::server::running::Server;
use crate::server::transport::connections::ListenerConnections;
use crate::server::transport::listener::Listener;
use crate::server::validation_threads::{ListenerRole, ThreadParts, ValidationThreads};
use crate::service_manager::ServiceManager;
use crate::telemetry::collector::CollectorClient;
use crate::telemetry::{TraceExport, Tracer};
use crate::values::{ApiKey, Scopes};

/// Starts a server. When this returns, the server accepts connections and has tried to reach the store once.
///
/// # Errors
/// If an address cannot be bound, a TLS file cannot be used, or the operating system has no threads or randomness.
pub async fn start(config: Config, clock: Clock, entropy: Entropy) -> Result<Server, ServerStartError> {
    // All addresses are bound first, so that a conflict shows before anything else happens.
    let listeners = Listeners::bind(&config, &clock)?;
    let thread_count = validation_thread_count(&config)?;
    let limits = connection_limits(&DescriptorDemand::of(&config, thread_count));
    let tls = TlsOfListeners::load(&config, &clock)?;
    let node = Node::start_with(&config, clock, entropy.clone()).await?;
    let metrics = Arc::new(Metrics::of(&node));

    let traces = start_traces(&config, &node, &metrics, &entropy)?;
    let tracer = traces.as_ref().map(TraceExport::tracer);
    let settings = ValidationSettings::of(&config);
    let parts = thread_parts(&config, &node, settings.clone(), &tls, tracer);
    let validation_threads = ValidationThreads::start(thread_count, parts, &metrics).await?;
    let generated_key = if config.all_api_keys().is_empty() { Some(generate_key(&entropy)?) } else { None };
    let (generated_key, generated_admin_key) = generated_key.unzip();
    let reloader = reloader(&config, &node, &settings, &tls, generated_key);
    let connections = connections(&listeners, limits, node.service().clock());
    let measured = (&node, &metrics);
    let admin =
        admin_plane(&config, measured, settings, &reloader, connections.clone(), &entropy, tracer).await?;
    register_metrics(&metrics, &connections, &admin.feed, &reloader);
    metrics.collect(tls.by_listener(), certificates::encode);
    let serve_admin = ServeAdmin { admin: Arc::new(admin), tls: tls.admin.clone() };
    let (listen, admin_listen) = (listeners.validation.address(), listeners.admin.address());
    let grpc_listen = listeners.grpc.as_ref().map(Listener::address);
    let metrics_listen = listeners.metrics.as_ref().map(Listener::address);

    let acceptors =
        start_acceptors(&config, measured, listeners, &connections, &validation_threads, serve_admin);
    let mut workers = JoinSet::new();
    workers.spawn(log_expiries(reloader.api_keys.clone()));
    Ok(Server {
        listen,
        admin_listen,
        grpc_listen,
        metrics_listen,
        is_tls: tls.validation.is_some(),
        is_admin_tls: tls.admin.is_some(),
        generated_admin_key,
        store_name: node.service().store().name(),
        node,
        traces,
        acceptors,
        validation_threads,
        workers,
        manager: ServiceManager::default(),
        reload_status: reloader.status.clone(),
        reloader: Some(reloader),
        shutdown_delay: Duration::from_millis(config.shutdown_delay_ms),
        drain_timeout: Duration::from_millis(config.drain_timeout_ms),
    })
}

/// Starts the export of traces, if the settings name a collector.
fn start_traces(
    config: &Config,
    node: &Node,
    metrics: &Metrics,
    entropy: &Entropy,
) -> Result<Option<TraceExport>, ServerStartError> {
    let Some(url) = config.otlp_endpoint.clone() else { return Ok(None) };
    let (clock, ca_file) = (node.service().clock().clone(), config.otlp_ca_file.as_deref());
    let client = CollectorClient::new(url, ca_file, config.otlp_headers.clone(), clock.clone())?;
    let counters = metrics.trace_spans.clone();
    Ok(Some(TraceExport::start(client, (clock, entropy.clone()), counters)?))
}

fn request_tracer(tracer: &Tracer, config: &Config, is_tls: bool) -> RequestTracer {
    RequestTracer { tracer: tracer.clone(), is_tls, trusted_proxies: config.trusted_proxies.clone() }
}

fn thread_parts(
    config: &Config,
    node: &Node,
    settings: ValidationSettings,
    tls: &TlsOfListeners,
    tracer: Option<&Tracer>,
) -> ThreadParts {
    ThreadParts {
        service: node.service().clone(),
        settings,
        readiness: node.readiness().clone(),
        tls: tls.validation.clone(),
        grpc_tls: tls.grpc.clone(),
        request_timeout: Duration::from_millis(config.request_timeout_ms),
        tracer: tracer.map(|tracer| request_tracer(tracer, config, tls.validation.is_some())),
        access_log: AccessLogOptions { rule: config.access_log, max_per_second: config.access_log_rate },
    }
}

/// Collects what a reload changes.
fn reloader(
    config: &Config,
    node: &Node,
    settings: &ValidationSettings,
    tls: &TlsOfListeners,
    generated_key: Option<ApiKey>,
) -> Reloader {
    let clock = node.service().clock().clone();
    Reloader {
        running: config.clone(),
        service: node.service().clone(),
        tls: tls.clone(),
        status: Arc::new(ReloadStatus::started_at(clock.now_ms())),
        api_keys: Arc::new(ApiKeys::new(config.all_api_keys(), generated_key, clock)),
        token_keys: node.token_keys().clone(),
        checks: settings.checks.clone(),
        places: settings.places.clone(),
    }
}

fn start_acceptors(
    config: &Config,
    (node, metrics): (&Node, &Arc<Metrics>),
    listeners: Listeners,
    connections: &ConnectionsByListener,
    validation_threads: &ValidationThreads,
    serve_admin: ServeAdmin,
) -> Acceptors {
    let idle_timeout = Duration::from_millis(config.idle_timeout_ms);
    let mut acceptors = Acceptors::new(idle_timeout);
    let distributor = |endpoint| validation_threads.distributor(endpoint);
    acceptors.add(listeners.validation, &connections.validation, distributor(ListenerRole::Http));
    if let Some((listener, connections)) = listeners.grpc.zip(connections.grpc.as_ref()) {
        acceptors.add(listener, connections, distributor(ListenerRole::Grpc));
    }
    acceptors.add(listeners.admin, &connections.admin, serve_admin);
    if let Some((listener, connections)) = listeners.metrics.zip(connections.metrics.as_ref()) {
        let plane = MetricsPlane { metrics: metrics.clone(), readiness: node.readiness().clone() };
        acceptors.add(listener, connections, ServeMetrics(Arc::new(plane)));
    }
    acceptors
}

/// Makes room for the connections of each listener.
fn connections(listeners: &Listeners, limits: ConnectionLimits, clock: &Clock) -> ConnectionsByListener {
    let room = |max| ListenerConnections::new(max, clock.clone());
    ConnectionsByListener {
        validation: room(limits.validation),
        grpc: listeners.grpc.is_some().then(|| room(limits.validation)),
        admin: room(limits.admin),
        metrics: listeners.metrics.is_some().then(|| room(limits.metrics)),
    }
}

/// Registers what only a server has to measure.
fn register_metrics(
    metrics: &Metrics,
    connections: &ConnectionsByListener,
    feed: &FeedReaders,
    reloader: &Reloader,
) {
    metrics.collect(connections.clone(), encode_connections);
    metrics.collect(feed.clone(), feed_readers::encode);
    metrics.collect(reloader.status.clone(), reload::encode);
    metrics.collect(reloader.api_keys.clone(), api_keys::encode);
}

async fn admin_plane(
    config: &Config,
    (node, metrics): (&Node, &Arc<Metrics>),
    settings: ValidationSettings,
    reloader: &Reloader,
    connections: ConnectionsByListener,
    entropy: &Entropy,
    tracer: Option<&Tracer>,
) -> Result<AdminPlane, SysError> {
    Ok(AdminPlane {
        service: node.service().clone(),
        validator: node.validator().await,
        settings,
        entropy: entropy.clone(),
        api_keys: reloader.api_keys.clone(),
        unauthorized: UnauthorizedLog::new(node.service().clock().clone(), metrics.admin_refusals.clone()),
        tracer: tracer.map(|tracer| request_tracer(tracer, config, config.admin_tls_cert.is_some())),
        feed: FeedReaders::new(u64::from_ne_bytes(entropy.bytes()?)),
        calls: AdminCalls::register(metrics),
        connections,
        metrics: metrics.clone(),
        reporter: node.reporter().clone(),
        readiness: node.readiness().clone(),
        reload: reloader.status.clone(),
        console: config.console,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
    })
}

/// Generates an API key with all scopes, valid for this run only, and returns it with its text.
fn generate_key(entropy: &Entropy) -> Result<(ApiKey, String), SysError> {
    let text = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()?);
    let hash = ApiKey::hash_of(text.as_bytes());
    Ok((ApiKey { name: "generated".into(), scopes: Scopes::all(), hash, expires_at_ms: None }, text))
}
