//! Listening sockets, TCP or Unix.

use std::fs::Permissions;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rustix::io::Errno;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use super::connections::{ListenerConnections, OpenConnection};
use crate::clock::Clock;
use crate::logging::RepeatedFault;
use crate::values::ListenAddr;

/// The pause after an accept that failed for lack of descriptors or memory.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// A listening socket.
pub struct Listener {
    /// Before the socket, so that it is dropped first.
    file: Option<SocketFile>,
    socket: ListeningSocket,
    clock: Clock,
    failures: RepeatedFault,
}

enum ListeningSocket {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener),
}

/// An accepted connection.
pub struct AcceptedConnection {
    /// The connection.
    pub socket: AcceptedSocket,
    /// The direct client's address; `None` on a Unix socket.
    pub address: Option<IpAddr>,
}

/// The socket of an accepted connection, not yet registered with a runtime.
pub enum AcceptedSocket {
    /// TCP.
    Tcp(StdTcpStream),
    /// Unix.
    Unix(StdUnixStream),
}

impl Listener {
    /// Binds an address. If a dead process left the file of its Unix socket behind, the file is replaced. `mode` is the
    /// mode of the new file.
    ///
    /// # Errors
    /// The operating system's errors; `AddrInUse` if another process listens on the Unix socket.
    pub fn bind(addr: &ListenAddr, mode: Option<u32>, clock: Clock) -> io::Result<Self> {
        let (file, socket) = match addr {
            ListenAddr::Tcp(addr) => {
                let listener = StdTcpListener::bind(addr)?;
                listener.set_nonblocking(true)?;
                let bound = listener.local_addr()?;
                (None, ListeningSocket::Tcp(TcpListener::from_std(listener)?, bound))
            }
            ListenAddr::Unix(path) => {
                remove_dead_socket(path)?;
                let listener = StdUnixListener::bind(path)?;
                let file = SocketFile::new(path)?;
                if let Some(mode) = mode {
                    fs::set_permissions(&file.path, Permissions::from_mode(mode))?;
                }
                listener.set_nonblocking(true)?;
                (Some(file), ListeningSocket::Unix(UnixListener::from_std(listener)?))
            }
        };
        Ok(Self { file, socket, clock, failures: RepeatedFault::default() })
    }

    /// Returns the real address, as the setting would name it.
    pub fn address(&self) -> String {
        match (&self.socket, &self.file) {
            (ListeningSocket::Tcp(_, addr), _) => addr.to_string(),
            (ListeningSocket::Unix(_), Some(file)) => format!("unix:{}", file.path.display()),
            (ListeningSocket::Unix(_), None) => "unix:".into(),
        }
    }

    /// Returns the next connection. Failures are logged, and then it tries again.
    pub async fn accept(&self) -> AcceptedConnection {
        loop {
            let accepted = match &self.socket {
                ListeningSocket::Tcp(listener, _) => listener
                    .accept()
                    .await
                    .and_then(|(stream, client)| Ok(AcceptedConnection::tcp(stream.into_std()?, client))),
                ListeningSocket::Unix(listener) => listener.accept().await.and_then(|(stream, _)| {
                    Ok(AcceptedConnection { socket: AcceptedSocket::Unix(stream.into_std()?), address: None })
                }),
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => self.report_failure(error).await,
            }
        }
    }

    async fn report_failure(&self, error: io::Error) {
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
            // A client has aborted its connection. The next one may be waiting already.
            tokio::task::yield_now().await;
        }
    }

    /// Closes the socket and returns the connections that clients made before.
    pub fn close(self) -> impl Iterator<Item = AcceptedConnection> {
        let Self { file, socket, .. } = self;
        // From here on, no new client can connect.
        drop(file);
        let backlog = match socket {
            ListeningSocket::Tcp(listener, _) => listener.into_std().map(Backlog::Tcp),
            ListeningSocket::Unix(listener) => listener.into_std().map(Backlog::Unix),
        };
        backlog.into_iter().flatten()
    }
}

impl AcceptedConnection {
    fn tcp(stream: StdTcpStream, client: SocketAddr) -> Self {
        // Fails only if the client has disconnected, which the next read shows.
        let _ = stream.set_nodelay(true);
        Self { socket: AcceptedSocket::Tcp(stream), address: Some(client.ip()) }
    }
}

/// The connections in the kernel's queue.
enum Backlog {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

impl Iterator for Backlog {
    type Item = AcceptedConnection;

    fn next(&mut self) -> Option<AcceptedConnection> {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().and_then(|(stream, client)| {
                    stream.set_nonblocking(true)?;
                    Ok(AcceptedConnection::tcp(stream, client))
                }),
                Self::Unix(listener) => listener.accept().and_then(|(stream, _)| {
                    stream.set_nonblocking(true)?;
                    Ok(AcceptedConnection { socket: AcceptedSocket::Unix(stream), address: None })
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

/// Whether an accept failed for lack of descriptors or memory.
fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// The file of a Unix socket. Removed on drop, unless another process has replaced it.
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // While the socket is open, no other file can have its inode.
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode)) {
            // An error means that the file is already gone.
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

/// Serves accepted connections, or passes them on to a thread that does.
pub(crate) trait Deliver {
    /// Takes a connection; resolves once the next one can be taken.
    fn deliver(
        &mut self,
        accepted: AcceptedConnection,
        open: OpenConnection,
    ) -> impl Future<Output = ()> + Send;
}

/// Accepts connections until `stop` is cancelled, and then those in the kernel's queue. Each is delivered once
/// `connections` has room for it.
pub(crate) async fn accept(
    listener: Listener,
    connections: ListenerConnections,
    stop: CancellationToken,
    mut deliver: impl Deliver + Send,
) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        deliver.deliver(accepted, connections.open().await).await;
    }
    for accepted in listener.close() {
        deliver.deliver(accepted, connections.open().await).await;
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
    async fn a_closed_listener_returns_its_backlog_and_keeps_the_file_of_another() {
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
