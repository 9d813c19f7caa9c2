//! The fast path takes a request only if hyper reads the same request from the same bytes.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::ready;

use doorward::internals::server::auth::fast_path::request::{
    CommonRequest, MAX_COMMON_BYTES, Next, parse_next,
};
use http_body_util::Empty;
use hyper::Response;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

/// A request without a body, as one of the two readers sees it.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    path: String,
    /// Sorted by name; lines of one name stay in their order. Without the length, which hyper gives once where it came
    /// twice.
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    fn new<'a>(method: &str, path: &str, headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()));
        let mut headers: Vec<_> = headers.filter(|(name, _)| name != "content-length").collect();
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        Self { method: method.to_owned(), path: path.to_owned(), headers }
    }

    fn common(request: CommonRequest<'_>) -> Self {
        let headers = request.headers.iter().map(|line| (line.name, line.value));
        Self::new(request.method, request.path, headers)
    }

    fn hyper(request: &hyper::Request<Incoming>) -> Self {
        assert!(request.body().is_end_stream(), "the fast path would leave a body unread");
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        Self::new(request.method().as_str(), request.uri().path(), headers)
    }
}

/// Checks what the fast path says of these bytes.
pub fn check(bytes: &[u8]) {
    let read = |bytes| parse_next(bytes, |request| Some(Request::common(request)));
    match read(bytes) {
        Next::Common(request, length) => {
            assert!(length <= MAX_COMMON_BYTES);
            for end in [0, length / 2, length - 1] {
                assert!(matches!(read(&bytes[..end]), Next::Partial), "{end} of {length}");
            }
            assert_eq!(first_by_hyper(&bytes[..length]), Some(request));
        }
        // Otherwise a whole request would wait for more bytes.
        Next::Partial => assert_eq!(first_by_hyper(bytes), None),
        Next::Other => {}
    }
}

/// The first request that hyper reads from a connection with these bytes.
fn first_by_hyper(bytes: &[u8]) -> Option<Request> {
    let first = RefCell::new(None);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        first.borrow_mut().get_or_insert_with(|| Request::hyper(&request));
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let connection = TokioIo::new(tokio::io::join(bytes, tokio::io::sink()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Bytes that are no request end it with an error.
    let _ = runtime.block_on(http1::Builder::new().serve_connection(connection, service));
    first.into_inner()
}
