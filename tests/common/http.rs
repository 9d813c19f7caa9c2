//! A raw HTTP/1.1 client: sends any bytes, keeps its connection, and returns headers unchanged. Blocking, with a read
//! timeout. It never retries.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::process::DEADLINE_MS;

const READ_TIMEOUT: Duration = Duration::from_millis(DEADLINE_MS);

/// An answer. Header names are unchanged.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the value of a header, ignoring the case of its name. Panics if it is there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_values(name);
        assert!(values.len() <= 1, "{name} is there {} times: {:?}", values.len(), self.headers);
        values.first().copied()
    }

    /// Returns all values of a header.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let same = |other: &&(String, String)| other.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON; panics with the whole answer if it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text()))
    }
}

/// A client of one address with at most one open connection.
pub struct Client {
    addr: String,
    connection: Option<Connection>,
    connections: usize,
}

struct Connection {
    stream: Box<dyn Stream>,
    /// Bytes read but not used yet: the start of the next answer.
    buffered: Vec<u8>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Client {
    /// Creates a client of `host:port` or `unix:/path`. The first request connects.
    pub fn new(addr: &str) -> Self {
        Self { addr: addr.to_owned(), connection: None, connections: 0 }
    }

    /// Creates a client of an open connection.
    pub fn over(stream: impl Read + Write + Send + 'static) -> Self {
        let connection = Connection { stream: Box::new(stream), buffered: Vec::new() };
        Self { addr: "closed".into(), connection: Some(connection), connections: 1 }
    }

    /// Returns how many connections it has made.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Closes the connection; the next request opens a new one.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Sends a GET with headers.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.request("GET", path, headers, None)
    }

    /// Sends a request with headers and a JSON body.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        json: Option<&serde_json::Value>,
    ) -> Response {
        self.send(request_bytes(method, path, headers, json))
    }

    /// Sends the bytes of one request and reads its answer. Panics without an answer.
    pub fn send(&mut self, request: impl AsRef<[u8]>) -> Response {
        let request = request.as_ref();
        self.try_send(request).unwrap_or_else(|error| {
            panic!("{}: {error}, asked {:?}", self.addr, String::from_utf8_lossy(request))
        })
    }

    /// As [`Client::send`], but returns an error if the server refuses the connection, closes it or is silent.
    pub fn try_send(&mut self, request: impl AsRef<[u8]>) -> io::Result<Response> {
        let request = request.as_ref();
        self.write(request)?;
        self.read_response(request.starts_with(b"HEAD "))
    }

    /// Writes bytes, for example half a request or several.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let sent = self.connect()?.stream.write_all(bytes.as_ref());
        // A server may answer and close before it has read everything: the answer can still be read.
        match sent {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Ok(())
            }
            sent => sent,
        }
    }

    /// Reads the next answer on the connection; the answer to a HEAD request has no body, whatever its headers say.
    /// Returns `UnexpectedEof` if the server has closed the connection. Drops the connection after an error or a close.
    pub fn read_response(&mut self, is_head: bool) -> io::Result<Response> {
        let mut connection = self.connection.take().ok_or(ErrorKind::NotConnected)?;
        let (response, is_kept) = connection.read_response(is_head)?;
        if is_kept {
            self.connection = Some(connection);
        }
        Ok(response)
    }

    /// Reads the next bytes as soon as they arrive; returns nothing at the end of the connection.
    pub fn read_some(&mut self) -> io::Result<Vec<u8>> {
        let connection = self.connect()?;
        let mut bytes = std::mem::take(&mut connection.buffered);
        if bytes.is_empty() {
            bytes = vec![0; 4096];
            let read = connection.stream.read(&mut bytes)?;
            bytes.truncate(read);
        }
        Ok(bytes)
    }

    fn connect(&mut self) -> io::Result<&mut Connection> {
        if self.connection.is_none() {
            let stream = open(&self.addr)?;
            self.connections += 1;
            self.connection = Some(Connection { stream, buffered: Vec::new() });
        }
        self.connection.as_mut().ok_or_else(|| ErrorKind::NotConnected.into())
    }
}

/// Returns the bytes of a request with `Host` and, with a body, its type and length.
pub fn request_bytes(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    json: Option<&serde_json::Value>,
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text += "Host: localhost\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    match json.map(serde_json::Value::to_string) {
        Some(body) => {
            text +=
                &format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
        None => text += "\r\n",
    }
    text.into_bytes()
}

fn open(addr: &str) -> io::Result<Box<dyn Stream>> {
    if let Some(path) = addr.strip_prefix("unix:") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        return Ok(Box::new(stream));
    }
    let stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    Ok(Box::new(stream))
}

impl Connection {
    /// Returns the answer, and whether the connection stays open.
    fn read_response(&mut self, is_head: bool) -> io::Result<(Response, bool)> {
        let (version, mut response) = parse_head(&self.read_head()?)?;
        let value = |name| response.header_values(name).join(",").to_ascii_lowercase();
        let connection = value("connection");
        let is_chunked = value("transfer-encoding").contains("chunked");
        let length = response.header("content-length").map(str::to_owned);
        let mut is_kept = version == "HTTP/1.1" && connection != "close" || connection == "keep-alive";
        response.body = match length {
            _ if is_head || matches!(response.status, 100..200 | 204 | 304) => Vec::new(),
            _ if is_chunked => self.read_chunks()?,
            Some(length) => self.take(length.parse().map_err(io::Error::other)?)?,
            None => {
                is_kept = false;
                self.read_to_end()?
            }
        };
        Ok((response, is_kept))
    }

    /// Reads up to and including the empty line.
    fn read_head(&mut self) -> io::Result<Vec<u8>> {
        self.take_through(b"\r\n\r\n")
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_through(b"\r\n")?;
            let line = String::from_utf8_lossy(&line);
            let size = line.trim_end().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            let chunk = self.take(size + 2)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    fn take_through(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffered.windows(end.len()).position(|window| window == end) {
                return self.take(at + end.len());
            }
            self.fill()?;
        }
    }

    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffered.len() < count {
            self.fill()?;
        }
        Ok(self.buffered.drain(..count).collect())
    }

    fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffered);
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffered.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

/// Returns the HTTP version, and the answer without its body.
fn parse_head(head: &[u8]) -> io::Result<(String, Response)> {
    let bad = || io::Error::other(format!("not an HTTP answer: {:?}", String::from_utf8_lossy(head)));
    let text = String::from_utf8_lossy(head);
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let mut status_line = lines.next().ok_or_else(bad)?.splitn(3, ' ');
    let version =
        status_line.next().filter(|version| version.starts_with("HTTP/1.")).ok_or_else(bad)?.to_owned();
    let status = status_line.next().and_then(|status| status.parse().ok()).ok_or_else(bad)?;
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let headers = lines.map(header).collect::<Option<_>>().ok_or_else(bad)?;
    Ok((version, Response { status, headers, body: Vec::new() }))
}
