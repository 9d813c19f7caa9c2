//! A TCP relay that keeps what its clients send and counts their connections: what does a proxy ask, and how? It can be
//! cut, as a network is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::process::free_listener;

/// Relays to one address until the process ends. While nobody listens there, it hangs up on whoever connects.
pub struct Relay {
    addr: String,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    sent: Vec<u8>,
    connections: usize,
    is_cut: bool,
    open: Vec<TcpStream>,
}

impl Relay {
    pub fn start(to: &str) -> Self {
        let (listener, to) = (free_listener(), to.to_owned());
        let addr = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Mutex::new(Log::default()));
        let accepting = log.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                {
                    let mut log = accepting.lock().unwrap();
                    log.connections += 1;
                    if log.is_cut {
                        continue;
                    }
                    log.open.push(near.try_clone().unwrap());
                }
                let Ok(far) = TcpStream::connect(&to) else { continue };
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let log = accepting.clone();
                pump(near_too, far_too, move |bytes| log.lock().unwrap().sent.extend_from_slice(bytes));
                pump(far, near, |_| ());
            }
        });
        Self { addr, log }
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
        let mut log = self.log.lock().unwrap();
        log.is_cut = true;
        log.open.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
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
fn pump(mut from: TcpStream, mut to: TcpStream, seen: impl Fn(&[u8]) + Send + 'static) {
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let mut chunk = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            // Before it is passed on: when the answer is there, the question has been seen.
            seen(&chunk[..count]);
            if to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
