//! Listening sockets, TCP or Unix, and accepting from them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};

use crate::config::ListenAddr;

/// The pause after a failed accept: it fails for want of file descriptors, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound address.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener, SocketAddr),
    /// A Unix socket; its file goes when this goes.
    Unix(UnixListener, PathBuf),
}

/// An accepted connection.
pub struct Accepted {
    /// The connection.
    pub socket: Socket,
    /// The peer's address; `None` on a Unix socket.
    pub address: Option<IpAddr>,
}

/// The socket of an accepted connection, not yet of any runtime.
pub enum Socket {
    /// TCP.
    Tcp(StdTcpStream),
    /// Unix.
    Unix(StdUnixStream),
}

impl Listener {
    /// Binds an address. A Unix socket's file that a dead process left behind is replaced.
    ///
    /// # Errors
    /// The operating system's.
    pub fn bind(addr: &ListenAddr) -> io::Result<Self> {
        match addr {
            ListenAddr::Tcp(addr) => {
                let listener = StdTcpListener::bind(addr)?;
                listener.set_nonblocking(true)?;
                let bound = listener.local_addr()?;
                Ok(Self::Tcp(TcpListener::from_std(listener)?, bound))
            }
            ListenAddr::Unix(path) => {
                remove_dead_socket(path)?;
                let listener = StdUnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(UnixListener::from_std(listener)?, path.clone()))
            }
        }
    }

    /// The real address, as the setting would name it.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(_, addr) => addr.to_string(),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// The next connection.
    pub async fn accept(&self) -> Accepted {
        loop {
            let accepted = match self {
                Self::Tcp(listener, _) => listener.accept().await.and_then(|(stream, peer)| {
                    stream.set_nodelay(true)?;
                    Ok(Accepted { socket: Socket::Tcp(stream.into_std()?), address: Some(peer.ip()) })
                }),
                Self::Unix(listener, _) => listener.accept().await.and_then(|(stream, _)| {
                    Ok(Accepted { socket: Socket::Unix(stream.into_std()?), address: None })
                }),
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn remove_dead_socket(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match StdUnixStream::connect(path) {
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
            Err(_) => std::fs::remove_file(path),
        },
        _ => Ok(()),
    }
}
