//! All answers of one connection.

use crate::common::http::Response;
use crate::common::server::Server;

/// Sends `bytes` and returns every answer until the server closes the connection.
///
/// A request for the unknown path `/livez/last` follows the bytes: its 404 is the last answer if the connection stays
/// open.
pub fn answers_to(server: &Server, bytes: &[u8]) -> Vec<Response> {
    let mut client = server.validation();
    client.write(bytes).unwrap();
    client.write("GET /livez/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    std::iter::from_fn(|| client.read_response(false).ok()).collect()
}

pub fn statuses(answers: &[Response]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}
