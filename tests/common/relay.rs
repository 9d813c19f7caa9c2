//! A TCP relay that keeps what its clients send and counts their connections: what does a proxy ask, and how? It can also
//! be cut, as a network is, and forget its flows as a firewall does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Relays to one address until the process ends. While nobody listens there, it hangs up on whoever connects.
pub struct Relay {
    addr: String,
    log: Arc<Mutex<Log>>,
    /// How often all flows were forgotten.
    age: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Log {
    sent: Vec<u8>,
    connections: usize,
    is_cut: bool,
    /// The clients' ends, those of closed connections too.
    streams: Vec<TcpStream>,
}

impl Relay {
    pub fn start(to: &str) -> Self {
        Self::slow(to, Duration::ZERO)
    }

    /// A relay that passes on what its clients send only after `delay`.
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
                    // Dropping it would not do: the log has it, too.
                    let _ = near.shutdown(Shutdown::Both);
                    continue;
                };
                // Only now: a copy would keep a connection open that nobody answers.
                accepting.lock().unwrap().streams.push(near.try_clone().unwrap());
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let log = accepting.clone();
                let born = now.load(Ordering::SeqCst);
                let is_known = {
                    let now = now.clone();
                    move || now.load(Ordering::SeqCst) == born
                };
                let seen = move |bytes: &[u8]| {
                    thread::sleep(delay);
                    log.lock().unwrap().sent.extend_from_slice(bytes);
                };
                pump(near_too, far_too, seen, is_known.clone());
                pump(far, near, |_| (), is_known);
            }
        });
        Self { addr, log, age }
    }

    /// From now on nothing that is sent over the connections there are arrives, and none is closed. New ones work.
    pub fn forget_flows(&self) {
        self.age.fetch_add(1, Ordering::SeqCst);
    }

    /// Closes the connections there are. New ones work.
    pub fn cut_flows(&self) {
        for stream in self.log.lock().unwrap().streams.drain(..) {
            // An error says that it is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn port(&self) -> u16 {
        self.addr.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }

    /// Hangs up on everybody, and on whoever connects until [`Relay::mend`].
    pub fn cut(&self) {
        self.log.lock().unwrap().is_cut = true;
        self.cut_flows();
    }

    /// Undoes [`Relay::cut`].
    pub fn mend(&self) {
        self.log.lock().unwrap().is_cut = false;
    }

    /// What its clients have sent since the last call; bytes of several connections in the order of their arrival.
    pub fn take_sent(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.log.lock().unwrap().sent)).into_owned()
    }
}

/// Copies in a thread of its own until one side closes; the other is closed too.
fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    seen: impl Fn(&[u8]) + Send + 'static,
    is_known: impl Fn() -> bool + Send + 'static,
) {
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let mut chunk = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            // Before it is passed on: when the answer is there, the question has been seen.
            seen(&chunk[..count]);
            if is_known() && to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        if !is_known() {
            // Nobody hears of the end either.
            std::mem::forget((from, to));
            return;
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
