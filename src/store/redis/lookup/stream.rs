//! Connections that speak the protocol themselves, outside the library.

use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::pki_types::ServerName;

use super::resp;
use super::resp::{Parsed, RespReply};
use crate::store::redis::cluster::endpoint::{Connector, ServerAddress};

/// Anything to speak RESP over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

impl Connector {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Of the connection, or with the code of what the server said.
    pub(crate) async fn open(&self, address: &ServerAddress) -> io::Result<Pin<Box<dyn Stream>>> {
        let mut stream: Pin<Box<dyn Stream>> = match address {
            ServerAddress::Tcp(node) => {
                let addresses = self.names.addresses(&node.host, node.port).await?;
                let stream = TcpStream::connect(&addresses[..]).await?;
                stream.set_nodelay(true)?;
                match &self.trust {
                    Some(trust) => {
                        let name = ServerName::try_from(node.host.clone()).map_err(io::Error::other)?;
                        let connector = trust.current().connector.clone();
                        Box::pin(connector.connect(name, stream).await?)
                    }
                    None => Box::pin(stream),
                }
            }
            ServerAddress::Unix(path) => Box::pin(UnixStream::connect(path).await?),
        };
        let login = self.login();
        if let Some(password) = login.password() {
            let username = login.username().unwrap_or("default");
            call(&mut stream, &[b"AUTH", username.as_bytes(), password.as_bytes()]).await?;
        }
        if login.db() != 0 {
            call(&mut stream, &[b"SELECT", login.db().to_string().as_bytes()]).await?;
        }
        Ok(stream)
    }
}

/// One command and its answer, alone on the connection.
///
/// # Errors
/// Of the connection, or with what the server said.
pub(crate) async fn call(stream: &mut Pin<Box<dyn Stream>>, command: &[&[u8]]) -> io::Result<String> {
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
            Parsed::Whole(RespReply::Fine(text), _) => return Ok(text),
            // Its first word: the rest may repeat what was asked.
            Parsed::Whole(RespReply::Error(text), _) => {
                return Err(io::Error::other(text.split(' ').next().unwrap_or_default().to_owned()));
            }
            Parsed::Partial => {}
            Parsed::Broken => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
