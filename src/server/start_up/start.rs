//! Starts a server.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::SysError;
use tokio::task::JoinSet;

use super::descriptors::{ConnectionLimits, DescriptorDemand, connection_limits};
use super::listeners::{Listeners, TlsOfListeners};
use super::serve_admin::ServeAdmin;
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::node::Node;
use crate::node::StartError;
use crate::server::acceptors::Acceptors;
use crate::server::admin::event_stream::FeedReaders;
use crate::server::admin::plane::AdminPlane;
use crate::server::admin::unauthorized_log::UnauthorizedLog;
use crate::server::auth::settings::ValidationSettings;
use crate::server::request::span::RequestTracer;
use crate::server::running::Server;
use crate::server::transport::listener::Listener;
use crate::server::transport::tls;
use crate::server::validation_threads::{Endpoint, ThreadParts, ValidationThreads};
use crate::telemetry::collector::CollectorClient;
use crate::telemetry::{TraceExport, Tracer};
use crate::values::{ApiKey, Scopes};

/// Starts a server. When this returns, the server accepts connections and has tried to reach the store once.
///
/// # Errors
/// If an address cannot be bound, a TLS file cannot be used, or the operating system has no threads or randomness.
pub async fn start(config: Config, clock: Clock, entropy: Entropy) -> Result<Server, StartError> {
    // All addresses are bound first, so that a conflict shows before anything else happens.
    let listeners = Listeners::bind(&config, &clock)?;
    let thread_count = match config.validation_threads {
        0 => thread::available_parallelism()?.get(),
        count => count,
    };
    let limits = connection_limits(&DescriptorDemand::of(&config, thread_count));
    let tls = TlsOfListeners::load(&config, &clock)?;
    let node = Node::start_with(&config, clock, entropy.clone()).await?;

    let traces = start_traces(&config, &node, &entropy)?;
    let tracer = traces.as_ref().map(TraceExport::tracer);
    let parts = ThreadParts {
        service: node.service().clone(),
        settings: validation_settings(&config),
        readiness: node.readiness().clone(),
        tls: tls.validation.clone(),
        grpc_tls: tls.grpc.clone(),
        request_timeout: Duration::from_millis(config.request_timeout_ms),
        tracer: tracer.map(|tracer| request_tracer(tracer, &config, tls.validation.is_some())),
    };
    let validation_threads = ValidationThreads::start(thread_count, parts, node.metrics()).await?;
    let generated_key = if config.all_api_keys().is_empty() { Some(generate_key(&entropy)?) } else { None };
    let (generated_key, generated_admin_key) = generated_key.unzip();
    let serve_admin = ServeAdmin {
        admin: Arc::new(admin_plane(&config, &node, generated_key, &entropy, tracer).await?),
        tls: tls.admin.clone(),
    };
    let (listen, admin_listen) = (listeners.validation.address(), listeners.admin.address());
    let grpc_listen = listeners.grpc.as_ref().map(Listener::address);

    let acceptors = start_acceptors(&config, &node, listeners, limits, &validation_threads, serve_admin);
    let mut workers = JoinSet::new();
    if !tls.all().is_empty() {
        workers.spawn(tls::reload(tls.all()));
    }
    Ok(Server {
        listen,
        admin_listen,
        grpc_listen,
        is_tls: tls.validation.is_some(),
        is_admin_tls: tls.admin.is_some(),
        generated_admin_key,
        store_name: node.service().store().name(),
        node,
        traces,
        acceptors,
        validation_threads,
        workers,
        shutdown_delay: Duration::from_millis(config.shutdown_delay_ms),
        drain_timeout: Duration::from_millis(config.drain_timeout_ms),
    })
}

/// Starts the export of traces, if the settings name a collector.
fn start_traces(config: &Config, node: &Node, entropy: &Entropy) -> Result<Option<TraceExport>, StartError> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
    let clock = node.service().clock().clone();
    let client = CollectorClient::new(config.otlp_headers.clone(), clock.clone());
    let counters = node.metrics().trace_spans.clone();
    Ok(Some(TraceExport::start(endpoint, client, (clock, entropy.clone()), counters)?))
}

fn request_tracer(tracer: &Tracer, config: &Config, is_tls: bool) -> RequestTracer {
    RequestTracer { tracer: tracer.clone(), is_tls, trusted_proxies: config.trusted_proxies.clone() }
}

fn start_acceptors(
    config: &Config,
    node: &Node,
    listeners: Listeners,
    limits: ConnectionLimits,
    validation_threads: &ValidationThreads,
    serve_admin: ServeAdmin,
) -> Acceptors {
    let idle_timeout = Duration::from_millis(config.idle_timeout_ms);
    let mut acceptors = Acceptors::new(node.service().clock().clone(), idle_timeout);
    let distributor = |endpoint| validation_threads.distributor(endpoint);
    acceptors.add(listeners.validation, limits.validation, distributor(Endpoint::Http));
    if let Some(listener) = listeners.grpc {
        acceptors.add(listener, limits.validation, distributor(Endpoint::Grpc));
    }
    acceptors.add(listeners.admin, limits.admin, serve_admin);
    acceptors
}

async fn admin_plane(
    config: &Config,
    node: &Node,
    generated_key: Option<ApiKey>,
    entropy: &Entropy,
    tracer: Option<&Tracer>,
) -> Result<AdminPlane, SysError> {
    Ok(AdminPlane {
        service: node.service().clone(),
        validator: node.validator_named("admin".into()).await,
        settings: validation_settings(config),
        entropy: entropy.clone(),
        api_keys: config.all_api_keys().into_iter().chain(generated_key).collect(),
        unauthorized: UnauthorizedLog::new(
            node.service().clock().clone(),
            node.metrics().admin_refusals.clone(),
        ),
        tracer: tracer.map(|tracer| request_tracer(tracer, config, config.admin_tls_cert.is_some())),
        feed: FeedReaders::new(u64::from_ne_bytes(entropy.bytes()?)),
        metrics: node.metrics().clone(),
        readiness: node.readiness().clone(),
        request_timeout: Duration::from_millis(config.request_timeout_ms),
    })
}

fn validation_settings(config: &Config) -> ValidationSettings {
    let checks = config.checks.iter().map(|check| (check.name.clone(), Arc::new(check.clone())));
    ValidationSettings {
        cookie: config.cookie(),
        renewal_exempt_header: config.renewal_exempt_header.clone(),
        allowed_origins: config.allowed_origins.clone(),
        is_tls: config.tls_cert.is_some(),
        cookie_csrf_check: config.cookie_csrf_check,
        trusted_proxies: config.trusted_proxies.clone(),
        checks: checks.collect(),
    }
}

/// Generates an API key with all scopes, valid for this run only, and returns it with its text.
fn generate_key(entropy: &Entropy) -> Result<(ApiKey, String), SysError> {
    let text = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()?);
    let hash = ApiKey::hash_of(text.as_bytes());
    Ok((ApiKey { name: "generated".into(), scopes: Scopes::all(), hash }, text))
}
