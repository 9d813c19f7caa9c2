//! All that a connection is answered.

use crate::common::http::Response;
use crate::common::server::Server;

/// Every answer on the connection until the server closes it or has nothing more to say.
///
/// The bytes are followed by a request for `/livez/last`, which is nobody's path: its 404 is the last answer where
/// the connection is kept.
pub fn answers_to(server: &Server, bytes: &[u8]) -> Vec<Response> {
    let mut client = server.validation();
    client.write(bytes).unwrap();
    client.write("GET /livez/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    std::iter::from_fn(|| client.read_response(false).ok()).collect()
}

pub fn statuses(answers: &[Response]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}
