//! Connections with our own implementation of RESP, without the redis crate.

use std::io;
use std::pin::Pin;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::resp::{self, ParsedReply, RespReply};
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::byte_stream::ByteStream;
use crate::store::redis::cluster::connector::Connector;
use crate::store::redis::cluster::socket::{SmallWrites, Socket};
use crate::store::redis::errors::error_code;

/// Connects and logs in.
///
/// # Errors
/// An error of the connection, or the code of the server's error.
pub(crate) async fn open(
    connector: &Connector,
    address: &ServerAddress,
) -> io::Result<Pin<Box<dyn ByteStream>>> {
    let Socket { mut stream, .. } = Socket::connect(connector, address, SmallWrites::Immediate).await?;
    let login = connector.login();
    if let Some(password) = login.password() {
        let username = login.username().unwrap_or("default");
        call(&mut stream, &[b"AUTH", username.as_bytes(), password.as_bytes()]).await?;
    }
    if login.db() != 0 {
        call(&mut stream, &[b"SELECT", login.db().to_string().as_bytes()]).await?;
    }
    Ok(stream)
}

/// Sends one command and returns its answer, while nothing else uses the stream.
///
/// # Errors
/// An error of the connection, or the code of the server's error.
pub(crate) async fn call(stream: &mut Pin<Box<dyn ByteStream>>, command: &[&[u8]]) -> io::Result<String> {
    let mut out = Vec::new();
    resp::write_command(&mut out, command);
    stream.write_all(&out).await?;
    stream.flush().await?;
    let mut input = Vec::new();
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match resp::read_text(&input) {
            ParsedReply::Complete(RespReply::Value(text), _) => return Ok(text),
            ParsedReply::Complete(RespReply::Error(text), _) => {
                return Err(io::Error::other(error_code(&text).to_owned()));
            }
            ParsedReply::Incomplete => {}
            ParsedReply::Malformed => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
