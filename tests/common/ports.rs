//! TCP ports for programs that must be told one: Redis, Sentinels, reverse proxies.
//!
//! Doorward itself listens on port 0 and says in its ready line which port it got; so do listeners of the tests' own.

use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that the system takes outgoing connections' ports from (`ip_local_port_range`, from 32,768 on Linux).
/// A client of a server that is down could otherwise be given the server's port, and so connect to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// A port of the loopback address that belongs to one test until this is dropped.
///
/// The lock is the UDP port of the same number: the kernel gives it to one socket of the machine, and takes it back when
/// the process ends. So no two tests get the same port, also not those of other test processes. Programs that are no
/// tests are passed over: a port is taken only where nothing listens.
pub struct Port {
    number: u16,
    _lock: UdpSocket,
}

impl Port {
    pub fn reserve() -> Self {
        static NEXT: OnceLock<AtomicU16> = OnceLock::new();
        // Test processes side by side start at different places.
        let next = NEXT.get_or_init(|| AtomicU16::new(RandomState::new().hash_one(0) as u16));
        (0..COUNT)
            .map(|_| FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT)
            .find_map(|number| {
                let lock = UdpSocket::bind(("127.0.0.1", number)).ok()?;
                let _free = TcpListener::bind(("127.0.0.1", number)).ok()?;
                Some(Self { number, _lock: lock })
            })
            .expect("no free port")
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    /// Listens here, for a server within the test.
    pub fn listen(&self) -> TcpListener {
        TcpListener::bind(("127.0.0.1", self.number)).unwrap()
    }
}
