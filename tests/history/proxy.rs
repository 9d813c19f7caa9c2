//! A TCP proxy between a node and Redis that can be made to fail as networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The command that identifies the tracking connection.
const TRACKING: &[u8] = b"CLIENT\r\n$8\r\nTRACKING";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// The proxy's treatment of bytes.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    Pass,
    /// Forwards and closes nothing, in one direction or (`None`) in both. Once the rule is lifted, the held bytes
    /// arrive, as after a partition.
    Silent(Option<Direction>),
    /// [`Rule::Silent`] in both directions for the tracking connection only, from its `CLIENT TRACKING` command on.
    TrackingSilent,
    /// Delays every chunk by this much.
    Delay(Duration),
    /// Closes all connections, and new ones at once.
    Cut,
}

/// A proxy on its own port. Stops and closes its connections on drop.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    target_port: u16,
    rule: Rule,
    closed: bool,
    /// Both ends of every connection, including closed ones: a segment has few.
    streams: Vec<TcpStream>,
}

impl Proxy {
    pub fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { target_port, rule: Rule::Pass, closed: false, streams: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = shared.clone();
        thread::spawn(move || accepting.accept(&listener));
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, rule: Rule) {
        let mut state = self.shared.state();
        state.rule = rule;
        if matches!(rule, Rule::Cut) {
            state.close_all();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Closes all connections and forwards new ones to another server.
    pub fn retarget(&self, port: u16) {
        let mut state = self.shared.state();
        state.target_port = port;
        state.close_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closed = true;
        state.rule = Rule::Pass;
        state.close_all();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the acceptor, if it still runs.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn close_all(&mut self) {
        for stream in self.streams.drain(..) {
            // An error means that the connection is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let mut state = self.state();
            if state.closed {
                return;
            }
            let Ok(client) = client else { continue };
            if matches!(state.rule, Rule::Cut) {
                continue;
            }
            let Ok(server) = TcpStream::connect(("127.0.0.1", state.target_port)) else { continue };
            let copy = |stream: &TcpStream| stream.try_clone().unwrap();
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            state.streams.extend([copy(&client), copy(&server)]);
            drop(state);
            let is_tracking = Arc::new(AtomicBool::new(false));
            for (from, to, direction) in
                [(copy(&client), copy(&server), Direction::ToServer), (server, client, Direction::ToClient)]
            {
                let (shared, is_tracking) = (self.clone(), is_tracking.clone());
                thread::spawn(move || shared.pump(from, to, direction, &is_tracking));
            }
        }
    }

    /// Forwards bytes until one end closes. Bytes already read are held, not dropped: they are in the network and
    /// arrive later, even if their sender has given up.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, direction: Direction, is_tracking: &AtomicBool) {
        let mut chunk = vec![0; 16 * 1024];
        let mut tail = Vec::new();
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if direction == Direction::ToServer && !is_tracking.load(Ordering::SeqCst) {
                tail.extend_from_slice(&chunk[..count]);
                let found = tail.windows(TRACKING.len()).any(|window| window == TRACKING);
                is_tracking.store(found, Ordering::SeqCst);
                tail.drain(..tail.len().saturating_sub(TRACKING.len()));
            }
            self.wait_until_let_through(direction, is_tracking);
            if to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    fn wait_until_let_through(&self, direction: Direction, is_tracking: &AtomicBool) {
        let is_held = |state: &mut State| match state.rule {
            Rule::Silent(held) => held.is_none_or(|held| held == direction),
            Rule::TrackingSilent => is_tracking.load(Ordering::SeqCst),
            Rule::Pass | Rule::Delay(_) | Rule::Cut => false,
        };
        let state = self.changed.wait_while(self.state(), is_held).unwrap_or_else(PoisonError::into_inner);
        if let Rule::Delay(delay) = state.rule {
            drop(state);
            thread::sleep(delay);
        }
    }
}
