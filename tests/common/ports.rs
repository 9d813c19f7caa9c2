//! TCP ports for programs that need a fixed one: Redis, Sentinels, reverse proxies.
//!
//! Doorward listens on port 0 and reports its port in the ready line; the tests' own listeners use port 0, too.

use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the system's range for outgoing connections (`ip_local_port_range`, from 32,768 on Linux). Otherwise, a client
/// of a stopped server could be given the server's port and connect to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// A loopback port that belongs to one test until it is dropped.
///
/// The lock is the UDP port of the same number: the kernel gives it to one socket only and frees it when the process
/// ends. So no two tests get the same port, not even in different processes. A port on which another program listens is
/// skipped.
pub struct Port {
    number: u16,
    _lock: UdpSocket,
}

impl Port {
    pub fn reserve() -> Self {
        static NEXT: OnceLock<AtomicU16> = OnceLock::new();
        // Concurrent test processes start at different ports.
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

    /// Listens on this port, for a server within the test.
    pub fn listen(&self) -> TcpListener {
        TcpListener::bind(("127.0.0.1", self.number)).unwrap()
    }
}
