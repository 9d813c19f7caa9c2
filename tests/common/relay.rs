//! A TCP relay that records what its clients send and counts their connections, to show what a proxy asks. It can also
//! be cut like a network, and forget its flows like a firewall.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Relays to one address until the process ends. While nothing listens there, it closes new connections.
pub struct Relay {
    addr: String,
    log: Arc<Mutex<Log>>,
    /// How often the flows were forgotten.
    age: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Log {
    sent: Vec<u8>,
    connections: usize,
    is_cut: bool,
    /// Cuts once this text has been sent so many more times.
    trap: Option<(Vec<u8>, usize)>,
    /// The client ends of all connections, including closed ones.
    streams: Vec<TcpStream>,
}

impl Log {
    /// Records what a client sends. Returns whether it may pass.
    fn add(&mut self, bytes: &[u8]) -> bool {
        self.sent.extend_from_slice(bytes);
        if let Some((text, left)) = &mut self.trap {
            let times = bytes.windows(text.len()).filter(|window| window == text).count();
            *left = left.saturating_sub(times);
            if *left == 0 {
                self.trap = None;
                self.cut();
                return false;
            }
        }
        true
    }

    fn cut(&mut self) {
        self.is_cut = true;
        self.cut_flows();
    }

    fn cut_flows(&mut self) {
        for stream in self.streams.drain(..) {
            // An error means that the connection is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Relay {
    pub fn start(to: &str) -> Self {
        Self::slow(to, Duration::ZERO)
    }

    /// Starts a relay that forwards what its clients send after `delay`.
    pub fn slow(to: &str, delay: Duration) -> Self {
        let (listener, to) = (TcpListener::bind("127.0.0.1:0").unwrap(), to.to_owned());
        let addr = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Mutex::new(Log::default()));
        let age = Arc::new(AtomicUsize::new(0));
        let (accepting, now) = (log.clone(), age.clone());
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                {
                    let mut log = accepting.lock().unwrap();
                    log.connections += 1;
                    if log.is_cut {
                        continue;
                    }
                }
                let Ok(far) = TcpStream::connect(&to) else {
                    // Dropping it would not close it, because the list holds it, too.
                    let _ = near.shutdown(Shutdown::Both);
                    continue;
                };
                // Registered only now: a copy would keep a failed connection open.
                accepting.lock().unwrap().streams.push(near.try_clone().unwrap());
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let log = accepting.clone();
                let born = now.load(Ordering::SeqCst);
                let is_known = {
                    let now = now.clone();
                    move || now.load(Ordering::SeqCst) == born
                };
                let passes = move |bytes: &[u8]| {
                    thread::sleep(delay);
                    log.lock().unwrap().add(bytes)
                };
                pump(near_too, far_too, passes, is_known.clone());
                pump(far, near, |_| true, is_known);
            }
        });
        Self { addr, log, age }
    }

    /// Drops everything sent over existing connections from now on, without closing them. New connections work.
    pub fn forget_flows(&self) {
        self.age.fetch_add(1, Ordering::SeqCst);
    }

    /// Closes the existing connections. New ones work.
    pub fn cut_flows(&self) {
        self.log.lock().unwrap().cut_flows();
    }

    pub fn port(&self) -> u16 {
        self.addr.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }

    /// Closes all connections, and new ones until [`Relay::mend`].
    pub fn cut(&self) {
        self.log.lock().unwrap().cut();
    }

    /// Cuts, as [`Relay::cut`], when clients send this text for the n-th time from now on, which does not pass any more. The
    /// text must not be split over two chunks.
    pub fn cut_before(&self, text: &str, nth: usize) {
        self.log.lock().unwrap().trap = Some((text.as_bytes().to_vec(), nth));
    }

    /// Undoes a cut, also one to come.
    pub fn mend(&self) {
        let mut log = self.log.lock().unwrap();
        (log.is_cut, log.trap) = (false, None);
    }

    /// Takes the bytes that clients have sent since the last call, in the order of arrival over all connections.
    pub fn take_sent(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.log.lock().unwrap().sent)).into_owned()
    }
}

/// Copies in its own thread until one side closes, then closes the other.
fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    passes: impl Fn(&[u8]) -> bool + Send + 'static,
    is_known: impl Fn() -> bool + Send + 'static,
) {
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let mut chunk = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            // Recorded before it is forwarded: once the answer is there, the request has been recorded.
            let may_pass = passes(&chunk[..count]);
            if !may_pass || is_known() && to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        if !is_known() {
            // The other side does not hear of the close either.
            std::mem::forget((from, to));
            return;
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
