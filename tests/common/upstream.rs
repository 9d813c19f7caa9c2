//! A small HTTP server in the test process that records requests: an application behind a proxy, or any other server
//! that a test scripts.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::http2::Stream;
use super::ports::Port;
use super::tls::Identity;

/// A recorded request.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    /// Includes the query.
    pub path: String,
    /// In the order of arrival, with names in lower case and repeated headers kept.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of its connection, from 1.
    pub connection: usize,
}

impl Recorded {
    /// Returns the first value of a header, ignoring the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |other: &&(String, String)| other.0.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| value.as_str())
    }
}

/// A scripted answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { status, headers, body: body.into() }
    }

    /// Answers with 200 and `{"method", "path", "headers": [[name, value], …], "body"}`.
    pub fn echo(request: &Recorded) -> Self {
        let echo = serde_json::json!({
            "method": request.method,
            "path": request.path,
            "headers": request.headers,
            "body": String::from_utf8_lossy(&request.body),
        });
        Self::new(200, &[("content-type", "application/json")], echo.to_string())
    }
}

#[derive(Default)]
struct Log {
    requests: Vec<Recorded>,
    connections: usize,
}

/// A server on a free port; stops on drop.
pub struct Upstream {
    addr: SocketAddr,
    /// Kept after the server has stopped, so that a proxy that still sends requests reaches no other test.
    _port: Port,
    log: Arc<Mutex<Log>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Upstream {
    /// Answers everything with [`Reply::echo`].
    pub fn start() -> Self {
        Self::answering(Reply::echo)
    }

    /// Answers as `answer` says.
    pub fn answering(answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        Self::over(None, answer)
    }

    /// Answers as `answer` says, over TLS.
    pub fn answering_tls(
        identity: &Identity,
        answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::over(Some(identity.acceptor()), answer)
    }

    fn over(tls: Option<TlsAcceptor>, answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        let port = Port::reserve();
        let listener = port.listen();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, tls, log.clone(), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! { () = serving => {}, _ = stopped => {} }
            });
        });
        Self { addr, _port: port, log, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// Returns all requests so far, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.log.lock().unwrap().requests.clone()
    }

    /// Takes the requests so far, oldest first.
    pub fn take_requests(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.log.lock().unwrap().requests)
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Answer = dyn Fn(&Recorded) -> Reply + Send + Sync;

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, log: Arc<Mutex<Log>>, answer: Arc<Answer>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let connection = {
            let mut log = log.lock().unwrap();
            log.connections += 1;
            log.connections
        };
        let (log, answer, tls) = (log.clone(), answer.clone(), tls.clone());
        tokio::spawn(async move {
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(stream),
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Box::new(stream),
                    Err(_) => return,
                },
            };
            let service = service_fn(|request| respond(request, connection, &log, &*answer));
            // A client may disconnect in the middle of a request.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(
    request: hyper::Request<Incoming>,
    connection: usize,
    log: &Mutex<Log>,
    answer: &Answer,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let recorded = Recorded {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: body.collect().await.map(|all| all.to_bytes().to_vec()).unwrap_or_default(),
        connection,
    };
    let reply = answer(&recorded);
    log.lock().unwrap().requests.push(recorded);
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(reply.body)).unwrap())
}
