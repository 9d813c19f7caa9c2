//! The threads of the validation plane. Connections are distributed to them in turn.

use std::iter::Cycle;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread, vec};

use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use super::auth::access_log::{AccessLog, AccessLogOptions};
use super::auth::fast_path::connection::AuthFastPath;
use super::auth::plane::ValidationPlane;
use super::grpc::GrpcConnections;
use super::request::span::RequestTracer;
use super::transport::connection;
use super::transport::connections::OpenConnection;
use super::transport::listener::AcceptedConnection;
use super::transport::listener::Deliver;
use super::transport::tls::ListenerTls;
use crate::node::metrics::Metrics;
use crate::node::readiness::Readiness;
use crate::request::origin::DirectClient;
use crate::request_check::settings::ValidationSettings;
use crate::service::Service;
use crate::validation::Validator;

/// The accepted connections that wait for a thread; further ones wait in the kernel's queue.
const INBOX_CONNECTIONS: usize = 128;

/// A delivery to a thread.
enum Delivery {
    /// An accepted connection.
    Connection { accepted: AcceptedConnection, role: ListenerRole, open: OpenConnection },
    /// The thread answers as soon as it takes this.
    LifeSign(oneshot::Sender<()>),
}

/// The protocol of a listener of the validation plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListenerRole {
    Http,
    Grpc,
}

/// The parts of which every thread gets a copy.
#[derive(Clone)]
pub(super) struct ThreadParts {
    pub(super) service: Arc<Service>,
    pub(super) settings: ValidationSettings,
    pub(super) readiness: Readiness,
    /// The TLS of HTTP.
    pub(super) tls: Option<Arc<ListenerTls>>,
    /// The TLS of gRPC.
    pub(super) grpc_tls: Option<Arc<ListenerTls>>,
    /// The longest time until the message of a gRPC call has arrived.
    pub(super) request_timeout: Duration,
    /// Starts the spans of sampled requests; `None` without tracing.
    pub(super) tracer: Option<RequestTracer>,
    pub(super) access_log: AccessLogOptions,
}

/// The running threads. They end when this and all distributors are dropped.
pub(super) struct ValidationThreads {
    inboxes: Vec<mpsc::Sender<Delivery>>,
    ended: mpsc::Receiver<usize>,
}

impl ValidationThreads {
    /// Starts `count` threads at once, and waits until each has tried to reach the store.
    pub(super) async fn start(count: usize, parts: ThreadParts, metrics: &Metrics) -> io::Result<Self> {
        let (notify_end, ended) = mpsc::channel(count);
        let (mut inboxes, mut readies) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for index in 0..count {
            let (inbox, deliveries) = mpsc::channel(INBOX_CONNECTIONS);
            let (ready, is_ready) = oneshot::channel();
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (parts, counters) = (parts.clone(), metrics.validations.counters());
            let end_notice = EndNotice { index, notify_end: notify_end.clone() };
            thread::Builder::new().name(format!("validation-{index}")).spawn(move || {
                let _end_notice = end_notice;
                runtime.block_on(async {
                    let validator = Validator::new(parts.service.clone(), counters).await;
                    let _ = ready.send(());
                    serve_all(parts, validator, deliveries).await;
                });
            })?;
            inboxes.push(inbox);
            readies.push(is_ready);
        }
        for is_ready in readies {
            // `died` reports a thread that ends before it is ready.
            let _ = is_ready.await;
        }
        Ok(Self { inboxes, ended })
    }

    /// Returns a distributor of a listener's connections.
    pub(super) fn distributor(&self, role: ListenerRole) -> Distributor {
        Distributor { inboxes: self.inboxes.clone().into_iter().cycle(), role }
    }

    /// Returns what asks the threads for signs of life.
    pub(super) fn life_signs(&self) -> LifeSigns {
        LifeSigns { inboxes: self.inboxes.clone() }
    }

    /// Resolves with the index of a thread that ended.
    pub(super) async fn died(&mut self) -> Option<usize> {
        self.ended.recv().await
    }
}

/// Asks every thread whether it still works.
pub(super) struct LifeSigns {
    inboxes: Vec<mpsc::Sender<Delivery>>,
}

impl LifeSigns {
    /// Resolves once each thread has taken a question from its inbox, by the same way as it takes connections. A thread that
    /// hangs never does.
    pub(super) async fn received(&self) {
        for inbox in &self.inboxes {
            let (answer, is_answered) = oneshot::channel();
            // Either fails only if the thread has ended, and then the server stops.
            let _ = inbox.send(Delivery::LifeSign(answer)).await;
            let _ = is_answered.await;
        }
    }
}

/// Distributes connections to the threads in turn.
pub(super) struct Distributor {
    inboxes: Cycle<vec::IntoIter<mpsc::Sender<Delivery>>>,
    role: ListenerRole,
}

impl Deliver for Distributor {
    async fn deliver(&mut self, accepted: AcceptedConnection, open: OpenConnection) {
        if let Some(inbox) = self.inboxes.next() {
            // Fails only if the thread has ended, and then the server stops.
            let _ = inbox.send(Delivery::Connection { accepted, role: self.role, open }).await;
        }
    }
}

/// Reports the end of its thread when it is dropped, also after a panic.
struct EndNotice {
    index: usize,
    notify_end: mpsc::Sender<usize>,
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        let _ = self.notify_end.try_send(self.index);
    }
}

async fn serve_all(parts: ThreadParts, validator: Validator, mut deliveries: mpsc::Receiver<Delivery>) {
    let ThreadParts { service, settings, readiness, tls, grpc_tls, request_timeout, tracer, access_log } =
        parts;
    let access_log = AccessLog::new(access_log, service.clock().clone());
    let plane = Arc::new(ValidationPlane { validator, settings, readiness, tracer, access_log });
    let grpc = GrpcConnections::new(plane.clone(), request_timeout);
    while let Some(delivery) = deliveries.recv().await {
        match delivery {
            Delivery::Connection { accepted, role: ListenerRole::Http, open } => {
                let tls = tls.as_ref().map(|tls| tls.acceptor());
                tokio::spawn(serve_http(plane.clone(), accepted, tls, open));
            }
            Delivery::Connection { accepted, role: ListenerRole::Grpc, open } => {
                let tls = grpc_tls.as_ref().map(|tls| tls.acceptor());
                tokio::spawn(grpc.clone().serve(accepted, tls, open));
            }
            Delivery::LifeSign(answer) => {
                let _ = answer.send(());
            }
        }
    }
}

async fn serve_http(
    plane: Arc<ValidationPlane>,
    accepted: AcceptedConnection,
    tls: Option<TlsAcceptor>,
    open: OpenConnection,
) {
    let client = DirectClient::new(accepted.address, &plane.settings.trusted_proxies);
    let fast_path = AuthFastPath { plane: &plane, client };
    let respond = |request| plane.respond(request, client);
    connection::serve(accepted.socket, tls, open, fast_path, respond).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_hangs_gives_no_sign_of_life() {
        let (inboxes, mut deliveries): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel(1)).unzip();
        let signs = LifeSigns { inboxes };
        tokio::spawn(answer_all(deliveries.remove(0)));
        let is_alive = async || tokio::time::timeout(Duration::from_secs(60), signs.received()).await.is_ok();
        assert!(!is_alive().await, "the second thread takes nothing from its inbox");
        tokio::spawn(answer_all(deliveries.remove(0)));
        assert!(is_alive().await);
    }

    async fn answer_all(mut deliveries: mpsc::Receiver<Delivery>) {
        while let Some(Delivery::LifeSign(answer)) = deliveries.recv().await {
            let _ = answer.send(());
        }
    }
}
