//! The threads of the validation plane. Connections are dealt to them in turn.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::grpc::Grpc;
use crate::http::connection::{self, Spoken};
use crate::http::connections::Connections;
use crate::http::listener::{Accepted, Listener};
use crate::http::received::Peer;
use crate::http::validation::{Settings, Validation};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::tls::Tls;
use crate::validator::Validator;

/// Accepted connections that wait for a thread to notice them; more wait in the kernel's queue.
const INBOX: usize = 128;

/// An accepted connection.
struct Delivery {
    accepted: Accepted,
    service: Service,
    /// Its place among the connections allowed.
    permit: OwnedSemaphorePermit,
}

/// What a listener of the validation plane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Http,
    Grpc,
}

/// What every thread gets a copy of.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) service: Arc<crate::service::Service>,
    pub(super) settings: Settings,
    pub(super) readiness: Readiness,
    pub(super) open: Connections,
    /// The TLS of HTTP.
    pub(super) tls: Option<Arc<Tls>>,
    /// The TLS of gRPC.
    pub(super) grpc_tls: Option<Arc<Tls>>,
    /// See [`Grpc`].
    pub(super) request_timeout: Duration,
}

/// The running threads; they end when this and the dispatcher are gone.
pub(super) struct ValidationThreads {
    inboxes: Vec<mpsc::Sender<Delivery>>,
    /// Of each listener, how many it may have open.
    connections: Vec<Arc<Semaphore>>,
    max_connections: usize,
    deaths: mpsc::Receiver<usize>,
}

impl ValidationThreads {
    /// Starts `threads` of them, or one per core for 0, and waits until each has tried to reach the store.
    pub(super) async fn start(
        threads: usize,
        max_connections: usize,
        parts: Parts,
        metrics: &Metrics,
    ) -> io::Result<Self> {
        let threads = if threads == 0 { thread::available_parallelism()?.get() } else { threads };
        let (death, deaths) = mpsc::channel(threads);
        let mut inboxes = Vec::with_capacity(threads);
        for index in 0..threads {
            let (inbox, deliveries) = mpsc::channel(INBOX);
            let (ready, is_ready) = oneshot::channel();
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (parts, counters) = (parts.clone(), metrics.validation_counters(index));
            let obituary = Obituary { index, death: death.clone() };
            thread::Builder::new().name(format!("validation-{index}")).spawn(move || {
                let _obituary = obituary;
                let work = async {
                    let validator = Validator::new(parts.service.clone(), counters).await;
                    let _ = ready.send(());
                    serve_all(parts, validator, deliveries).await;
                };
                Runtime::block_on(&runtime, work);
            })?;
            // An early end is told by `died`.
            let _ = is_ready.await;
            inboxes.push(inbox);
        }
        Ok(Self { inboxes, connections: Vec::new(), max_connections, deaths })
    }

    /// Accepts connections for the threads for ever, as many at a time as are allowed.
    pub(super) fn accept(
        &mut self,
        listener: Listener,
        service: Service,
    ) -> impl Future<Output = ()> + use<> {
        let connections = Arc::new(Semaphore::new(self.max_connections));
        self.connections.push(connections.clone());
        let inboxes = self.inboxes.clone();
        async move {
            for inbox in inboxes.iter().cycle() {
                // Full: the next connection waits in the kernel's queue. The semaphore is never closed.
                let Ok(permit) = connections.clone().acquire_owned().await else { return };
                let accepted = listener.accept().await;
                if inbox.send(Delivery { accepted, service, permit }).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Resolves with the index of a thread that ended.
    pub(super) async fn died(&mut self) -> Option<usize> {
        self.deaths.recv().await
    }

    /// Resolves when no connection is open.
    pub(super) async fn idle(&self) {
        let all = u32::try_from(self.max_connections).unwrap_or(u32::MAX);
        for connections in &self.connections {
            let _ = connections.acquire_many(all).await;
        }
    }
}

/// Tells of the end of its thread, also when it panicked.
struct Obituary {
    index: usize,
    death: mpsc::Sender<usize>,
}

impl Drop for Obituary {
    fn drop(&mut self) {
        let _ = self.death.try_send(self.index);
    }
}

async fn serve_all(parts: Parts, validator: Validator, mut deliveries: mpsc::Receiver<Delivery>) {
    let Parts { settings, readiness, open, tls, grpc_tls, request_timeout, .. } = parts;
    let validation = Arc::new(Validation { validator, settings, readiness });
    let grpc = Arc::new(Grpc { validation: validation.clone(), request_timeout });
    while let Some(Delivery { accepted, service, permit }) = deliveries.recv().await {
        let (validation, grpc, open) = (validation.clone(), grpc.clone(), open.open());
        let tls = if service == Service::Http { &tls } else { &grpc_tls };
        let tls = tls.as_ref().map(|tls| tls.acceptor());
        tokio::spawn(async move {
            match service {
                Service::Http => {
                    let peer = Peer::new(accepted.address, &validation.settings.trusted_proxies);
                    let spoken = Spoken::Http1Or2 { front: &validation, peer };
                    let respond = |request| validation.respond(request, peer);
                    connection::serve(accepted.socket, tls, open, spoken, respond).await;
                }
                Service::Grpc => {
                    let respond = |request| grpc.respond(request);
                    connection::serve(accepted.socket, tls, open, Spoken::Http2, respond).await;
                }
            }
            drop(permit);
        });
    }
}
