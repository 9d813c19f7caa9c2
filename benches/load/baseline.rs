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
        Self::launch(ARGUMENT, head)
    }

    /// Starts this program with an argument that makes it a server, which gets `input` on standard input.
    pub fn launch(argument: &str, input: &[u8]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = Process::start(command.arg(argument))?;
        let mut stdin = process.stdin()?;
        stdin.write_all(&u32::try_from(input.len())?.to_be_bytes())?;
        stdin.write_all(input)?;
        let ready = process.wait_for_line(|line| line.starts_with("ready "))?;
        let address = ready.trim_start_matches("ready ").parse()?;
        Ok(Self { process, address, _stdin: stdin })
    }
}

/// The server itself: answers with the head on standard input until that is closed.
pub fn serve() -> Result<()> {
    serve_with(|head, connections| {
        let (status, headers) = parse_head(head)?;
        work(status, headers, connections)
    })
}

/// Runs a server of this program until standard input is closed. Each of its threads, one per core, calls `work` with
/// the input and the connections that it is to serve.
pub fn serve_with(
    work: impl Fn(&[u8], mpsc::UnboundedReceiver<std::net::TcpStream>) -> Result<()> + Clone + Send + 'static,
) -> Result<()> {
    let mut stdin = std::io::stdin();
    let mut input_bytes = [0; 4];
    stdin.read_exact(&mut input_bytes)?;
    let mut input = vec![0; usize::try_from(u32::from_be_bytes(input_bytes))?];
    stdin.read_exact(&mut input)?;
    std::thread::spawn(move || {
        if let Err(error) = accept(&input, work) {
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

fn accept(
    input: &[u8],
    work: impl Fn(&[u8], mpsc::UnboundedReceiver<std::net::TcpStream>) -> Result<()> + Clone + Send + 'static,
) -> Result<()> {
    let mut workers = Vec::new();
    for _ in 0..std::thread::available_parallelism()?.get() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (input, work) = (input.to_owned(), work.clone());
        std::thread::spawn(move || work(&input, receiver));
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
