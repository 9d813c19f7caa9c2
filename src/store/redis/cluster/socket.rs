//! Sockets to Redis servers: TCP, TLS over it, or a unix socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::net::{TcpStream, UnixStream};

use super::address::ServerAddress;
use super::byte_stream::ByteStream;
use super::connector::Connector;

/// An open socket.
pub(crate) struct Socket {
    pub(crate) stream: Pin<Box<dyn ByteStream>>,
    pub(crate) watch: SocketWatch,
}

/// When a small write leaves, while the previous one is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SmallWrites {
    /// Small writes leave at once (`TCP_NODELAY`).
    Immediate,
    /// Together with those that follow it, with the acknowledgement: the kernel collects them into one packet.
    Collected,
}

/// Tells whether the server has closed the connection. Keeps the socket open.
pub(crate) struct SocketWatch(OwnedFd);

impl Socket {
    /// Connects. Over TLS, the server's certificate is verified. There is no login.
    ///
    /// # Errors
    /// An error of the name's resolution, of the connection or of TLS.
    pub(crate) async fn connect(
        connector: &Connector,
        address: &ServerAddress,
        small_writes: SmallWrites,
    ) -> io::Result<Self> {
        let node = match address {
            ServerAddress::Tcp(node) => node,
            ServerAddress::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                return Ok(Self { watch: SocketWatch::new(stream.as_fd())?, stream: Box::pin(stream) });
            }
        };
        let addresses = connector.resolver.addresses(&node.host, node.port).await?;
        let stream = TcpStream::connect(&addresses[..]).await?;
        stream.set_nodelay(small_writes == SmallWrites::Immediate)?;
        let watch = SocketWatch::new(stream.as_fd())?;
        let stream: Pin<Box<dyn ByteStream>> = match &connector.trust {
            Some(trust) => trust.handshake(&node.host, stream).await?,
            None => Box::pin(stream),
        };
        Ok(Self { stream, watch })
    }
}

impl SocketWatch {
    fn new(socket: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self(socket.try_clone_to_owned()?))
    }

    /// Returns whether the kernel knows that the server has closed the connection. It may know it before the runtime
    /// does. Never waits.
    pub(crate) fn is_closed(&self) -> bool {
        // Everywhere else, `poll` reports the closed half as `HUP`, which needs no request.
        #[cfg(target_os = "linux")]
        let closed_half = PollFlags::RDHUP;
        #[cfg(not(target_os = "linux"))]
        let closed_half = PollFlags::empty();
        let mut sockets = [PollFd::new(&self.0, closed_half)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // An interrupted or failed call says nothing about the connection.
        poll(&mut sockets, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_connection_is_noticed_without_reading() {
        use tokio::io::AsyncWriteExt as _;
        let (ours, mut servers) = UnixStream::pair().unwrap();
        let watch = SocketWatch::new(ours.as_fd()).unwrap();
        assert!(!watch.is_closed());
        // Like the alert that ends a TLS session.
        servers.write_all(b"unread").await.unwrap();
        assert!(!watch.is_closed());
        drop(servers);
        assert!(watch.is_closed());
    }
}
