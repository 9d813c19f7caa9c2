//! Sends one datagram to the service manager.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Parses `NOTIFY_SOCKET`: an absolute path, or `@` and the name of an abstract socket (unix(7)), which only Linux has.
///
/// # Errors
/// If the value has another form, or is too long for an address.
pub(super) fn address(value: &OsStr) -> io::Result<SocketAddr> {
    match value.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(value),
        [b'@', name @ ..] => abstract_address(name),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "neither an absolute path nor an abstract socket",
        )),
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;

    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends a message from a socket of its own, as sd_notify(3) does: a manager that has bound its socket again is reached
/// again. Waits while the manager's queue is full.
///
/// # Errors
/// If nothing receives at the address.
pub(super) async fn send(address: &SocketAddr, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(address)?;
    tokio::net::UnixDatagram::from_std(socket)?.send(message.as_bytes()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_an_abstract_name() {
        let path = address(OsStr::new("/run/systemd/notify")).unwrap();
        assert_eq!(path.as_pathname(), Some("/run/systemd/notify".as_ref()));
        for wrong in ["", "notify", "vsock:2:1234"] {
            assert_eq!(
                address(OsStr::new(wrong)).unwrap_err().kind(),
                io::ErrorKind::InvalidInput,
                "{wrong}"
            );
        }
        assert!(address(OsStr::new(&format!("/{}", "long".repeat(100)))).is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_abstract_socket_gets_the_message() {
        use std::os::linux::net::SocketAddrExt as _;

        let name = format!("doorward-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(&address(OsStr::new(&format!("@{name}"))).unwrap(), "READY=1").await.unwrap();
        let mut message = [0; 100];
        let length = manager.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1");
    }
}
