//! The baseline: a bare hyper server that answers every request with the same headers, in its own child process. It has
//! the layout of the server that it is compared with: a single-threaded runtime per core, connections distributed in
//! turn.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{ChildStdin, Command};

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::Result;
use crate::minimal_login;
use crate::process::Process;

/// The argument that makes this binary the baseline server.
pub const ARGUMENT: &str = "--serve-baseline";

/// The head of the shortest useful answer: the user, and that it must not be cached.
pub const TWO_HEADERS: &[u8] = b"HTTP/1.1 200 OK\r\nX-Auth-User: alice\r\nCache-Control: no-store\r\n\r\n";

/// A running baseline server.
pub struct Baseline {
    /// Its process.
    pub process: Process,
    /// Its address.
    pub address: SocketAddr,
    /// The server stops when this is closed, so it never outlives the harness.
    _stdin: ChildStdin,
}

impl Baseline {
    /// Starts the server; it answers with the status and headers of `head`, an HTTP/1.1 answer up to its empty
    /// line. `Date` and `Content-Length` are left to hyper, which writes them anyway.
    pub fn start(head: &[u8]) -> Result<Self> {
        Self::start_with(head, "")
    }

    /// Starts the minimal login on the Redis at this URL ([`minimal_login`]).
    pub fn start_login(redis_url: &str) -> Result<Self> {
        Self::start_with(b"HTTP/1.1 201 Created\r\n\r\n", redis_url)
    }

    fn start_with(head: &[u8], redis_url: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = Process::start(command.args([ARGUMENT, redis_url]))?;
        let mut stdin = process.stdin()?;
        stdin.write_all(&u32::try_from(head.len())?.to_be_bytes())?;
        stdin.write_all(head)?;
        let ready = process.wait_for_line(|line| line.starts_with("ready "))?;
        let address = ready.trim_start_matches("ready ").parse()?;
        Ok(Self { process, address, _stdin: stdin })
    }
}

/// The server itself: reads the answer's head from standard input and serves until that is closed. With the URL of a Redis
/// it is the minimal login.
pub fn serve(redis_url: String) -> Result<()> {
    let mut stdin = std::io::stdin();
    let mut head_bytes = [0; 4];
    stdin.read_exact(&mut head_bytes)?;
    let mut head = vec![0; usize::try_from(u32::from_be_bytes(head_bytes))?];
    stdin.read_exact(&mut head)?;
    let (status, headers) = parse_head(&head)?;
    std::thread::spawn(move || {
        if let Err(error) = accept(status, &headers, &redis_url) {
            eprintln!("baseline: {error}");
            std::process::exit(1);
        }
    });
    let mut rest = Vec::new();
    stdin.read_to_end(&mut rest)?;
    Ok(())
}

fn parse_head(head: &[u8]) -> Result<(StatusCode, HeaderMap)> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut slots);
    answer.parse(head)?;
    let mut headers = HeaderMap::new();
    for header in answer.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes())?;
        if name != hyper::header::DATE && name != hyper::header::CONTENT_LENGTH {
            headers.append(name, HeaderValue::from_bytes(header.value)?);
        }
    }
    Ok((StatusCode::from_u16(answer.code.ok_or("an answer without a status")?)?, headers))
}

fn accept(status: StatusCode, headers: &HeaderMap, redis_url: &str) -> Result<()> {
    let mut workers = Vec::new();
    for _ in 0..std::thread::available_parallelism()?.get() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (headers, redis_url) = (headers.clone(), redis_url.to_owned());
        std::thread::spawn(move || match redis_url.is_empty() {
            true => work(status, headers, receiver),
            false => minimal_login::work(&redis_url, receiver),
        });
        workers.push(sender);
    }
    crate::current_thread_runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("ready {}", listener.local_addr()?);
        for worker in workers.iter().cycle() {
            worker.send(listener.accept().await?.0.into_std()?)?;
        }
        Ok(())
    })
}

fn work(
    status: StatusCode,
    headers: HeaderMap,
    mut connections: mpsc::UnboundedReceiver<std::net::TcpStream>,
) -> Result<()> {
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&crate::current_thread_runtime()?, async {
        while let Some(stream) = connections.recv().await {
            stream.set_nodelay(true)?;
            let stream = TokioIo::new(TcpStream::from_std(stream)?);
            let headers = headers.clone();
            let service = service_fn(move |_: Request<Incoming>| {
                let mut answer = Response::new(Empty::<Bytes>::new());
                *answer.status_mut() = status;
                *answer.headers_mut() = headers.clone();
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let connection = http1::Builder::new().pipeline_flush(true).serve_connection(stream, service);
            // When a client disconnects, hyper reports an error; here it is the end of a run.
            tokio::task::spawn_local(async { drop(connection.await) });
        }
        Ok(())
    })
}
