//! Listening sockets, TCP or Unix, and accepting from them.

use std::fs::Permissions;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rustix::io::Errno;
use tokio::net::{TcpListener, UnixListener};

use crate::clock::Clock;
use crate::logging::RepeatedFault;
use crate::values::ListenAddr;

/// The pause after an accept that failed for want of descriptors or memory: only time mends that.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// A bound address.
pub struct Listener {
    /// Before the socket, so that it goes first.
    path: Option<SocketPath>,
    socket: ListeningSocket,
    clock: Clock,
    failures: RepeatedFault,
}

enum ListeningSocket {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener),
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
    /// Binds an address. The file of a Unix socket that a dead process left behind is replaced; `mode` is that of the
    /// new one.
    ///
    /// # Errors
    /// The operating system's.
    pub fn bind(addr: &ListenAddr, mode: Option<u32>, clock: Clock) -> io::Result<Self> {
        let (path, socket) = match addr {
            ListenAddr::Tcp(addr) => {
                let listener = StdTcpListener::bind(addr)?;
                listener.set_nonblocking(true)?;
                let bound = listener.local_addr()?;
                (None, ListeningSocket::Tcp(TcpListener::from_std(listener)?, bound))
            }
            ListenAddr::Unix(path) => {
                remove_dead_socket(path)?;
                let listener = StdUnixListener::bind(path)?;
                let path = SocketPath::new(path)?;
                if let Some(mode) = mode {
                    fs::set_permissions(&path.path, Permissions::from_mode(mode))?;
                }
                listener.set_nonblocking(true)?;
                (Some(path), ListeningSocket::Unix(UnixListener::from_std(listener)?))
            }
        };
        Ok(Self { path, socket, clock, failures: RepeatedFault::default() })
    }

    /// The real address, as the setting would name it.
    pub fn address(&self) -> String {
        match (&self.socket, &self.path) {
            (ListeningSocket::Tcp(_, addr), _) => addr.to_string(),
            (ListeningSocket::Unix(_), Some(path)) => format!("unix:{}", path.path.display()),
            (ListeningSocket::Unix(_), None) => "unix:".into(),
        }
    }

    /// The next connection.
    pub async fn accept(&self) -> Accepted {
        loop {
            let accepted = match &self.socket {
                ListeningSocket::Tcp(listener, _) => listener
                    .accept()
                    .await
                    .and_then(|(stream, peer)| Ok(Accepted::tcp(stream.into_std()?, peer))),
                ListeningSocket::Unix(listener) => listener.accept().await.and_then(|(stream, _)| {
                    Ok(Accepted { socket: Socket::Unix(stream.into_std()?), address: None })
                }),
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => self.failed(error).await,
            }
        }
    }

    async fn failed(&self, error: io::Error) {
        if let Some(due) = self.failures.due(self.clock.boottime_ms()) {
            tracing::warn!(
                listener = self.address(),
                %error,
                suppressed = due.suppressed,
                "connection not accepted"
            );
        }
        if is_shortage(&error) {
            tokio::time::sleep(SHORTAGE_PAUSE).await;
        } else {
            // The fault of one connection, which its client has aborted. The next one may be there already.
            tokio::task::yield_now().await;
        }
    }

    /// Closes it, and hands out the connections that clients had made before that.
    pub fn close(self) -> impl Iterator<Item = Accepted> {
        let Self { path, socket, .. } = self;
        // No new client finds it from here on.
        drop(path);
        let waiting = match socket {
            ListeningSocket::Tcp(listener, _) => listener.into_std().map(Waiting::Tcp),
            ListeningSocket::Unix(listener) => listener.into_std().map(Waiting::Unix),
        };
        waiting.into_iter().flatten()
    }
}

impl Accepted {
    fn tcp(stream: StdTcpStream, peer: SocketAddr) -> Self {
        // Fails if the client has gone, which is found out soon enough.
        let _ = stream.set_nodelay(true);
        Self { socket: Socket::Tcp(stream), address: Some(peer.ip()) }
    }
}

/// The connections in the kernel's queue.
enum Waiting {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

impl Iterator for Waiting {
    type Item = Accepted;

    fn next(&mut self) -> Option<Accepted> {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().and_then(|(stream, peer)| {
                    stream.set_nonblocking(true)?;
                    Ok(Accepted::tcp(stream, peer))
                }),
                Self::Unix(listener) => listener.accept().and_then(|(stream, _)| {
                    stream.set_nonblocking(true)?;
                    Ok(Accepted { socket: Socket::Unix(stream), address: None })
                }),
            };
            match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) if Errno::from_io_error(&error) == Some(Errno::CONNABORTED) => {}
                // The queue is empty.
                Err(_) => return None,
            }
        }
    }
}

/// Whether an accept failed for want of descriptors or memory.
fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// The file of a Unix socket. Removed on drop, unless another process has put its own there meanwhile.
struct SocketPath {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketPath {
    fn new(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // The socket is still open, so its inode cannot be that of another file.
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode)) {
            // Gone already is as good.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn remove_dead_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match StdUnixStream::connect(path) {
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) => Err(error),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shortage_makes_the_listener_pause() {
        for (errno, pauses) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::NOBUFS, true),
            (Errno::NOMEM, true),
            (Errno::CONNABORTED, false),
            (Errno::PERM, false),
            (Errno::PROTO, false),
        ] {
            assert_eq!(is_shortage(&errno.into()), pauses, "{errno}");
        }
    }

    #[tokio::test]
    async fn a_closed_listener_hands_out_who_had_connected_and_leaves_the_file_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let bind = || {
            let addr = ListenAddr::Unix(path.clone());
            Listener::bind(&addr, Some(0o600), Clock::manual(0)).unwrap()
        };
        let listener = bind();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let clients = [(); 3].map(|()| StdUnixStream::connect(&path).unwrap());
        fs::remove_file(&path).unwrap();
        let another = bind();
        assert_eq!(listener.close().count(), clients.len());
        StdUnixStream::connect(&path).unwrap();
        drop(another);
        assert!(!path.exists());
    }
}
