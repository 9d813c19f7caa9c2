//! The threads of the validation plane. Connections are dealt to them in turn.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::grpc::{Budget, Grpc};
use super::transport::connection;
use crate::node::metrics::Metrics;
use crate::node::readiness::Readiness;
use crate::server::auth::plane::Validation;
use crate::server::auth::settings::Settings;
use crate::server::request::origin::Peer;
use crate::server::transport::connection::Spoken;
use crate::server::transport::connections::OpenConnection;
use crate::server::transport::listener::Accepted;
use crate::server::transport::tls::Tls;
use crate::validation::Validator;

/// Accepted connections that wait for a thread to notice them; more wait in the kernel's queue.
const INBOX: usize = 128;

/// A connection on its way to its thread.
pub(crate) type Dealt = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An accepted connection.
struct Delivery {
    accepted: Accepted,
    service: Service,
    open: OpenConnection,
}

/// What a listener of the validation plane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Http,
    Grpc,
}

/// What every thread gets a copy of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) service: Arc<crate::service::Service>,
    pub(crate) settings: Settings,
    pub(crate) readiness: Readiness,
    /// The TLS of HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    /// The TLS of gRPC.
    pub(crate) grpc_tls: Option<Arc<Tls>>,
    /// See [`Grpc`].
    pub(crate) request_timeout: Duration,
}

/// The running threads; they end when this and the dispatcher are gone.
pub(crate) struct ValidationThreads {
    inboxes: Vec<mpsc::Sender<Delivery>>,
    deaths: mpsc::Receiver<usize>,
}

impl ValidationThreads {
    /// Starts `threads` of them, side by side, and waits until each has tried to reach the store.
    pub(crate) async fn start(threads: usize, parts: Parts, metrics: &Metrics) -> io::Result<Self> {
        let (death, deaths) = mpsc::channel(threads);
        let (mut inboxes, mut readies) = (Vec::with_capacity(threads), Vec::with_capacity(threads));
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
            inboxes.push(inbox);
            readies.push(is_ready);
        }
        for is_ready in readies {
            // An early end is told by `died`.
            let _ = is_ready.await;
        }
        Ok(Self { inboxes, deaths })
    }

    /// Hands connections of a listener to the threads in turn; what it gives resolves once the thread has room for it.
    pub(crate) fn dealer(&self, service: Service) -> impl FnMut(Accepted, OpenConnection) -> Dealt + use<> {
        let mut inboxes = self.inboxes.clone().into_iter().cycle();
        move |accepted, open| {
            let inbox = inboxes.next();
            Box::pin(async move {
                if let Some(inbox) = inbox {
                    // A thread that is gone takes the server with it.
                    let _ = inbox.send(Delivery { accepted, service, open }).await;
                }
            })
        }
    }

    /// Resolves with the index of a thread that ended.
    pub(crate) async fn died(&mut self) -> Option<usize> {
        self.deaths.recv().await
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
    let Parts { settings, readiness, tls, grpc_tls, request_timeout, .. } = parts;
    let validation = Arc::new(Validation { validator, settings, readiness });
    let grpc = Arc::new(Grpc { validation: validation.clone(), request_timeout });
    while let Some(Delivery { accepted, service, open }) = deliveries.recv().await {
        let (validation, grpc) = (validation.clone(), grpc.clone());
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
                    let budget = Budget::default();
                    let respond = |request| grpc.respond(request, &budget);
                    connection::serve(accepted.socket, tls, open, Spoken::Http2, respond).await;
                }
            }
        });
    }
}
