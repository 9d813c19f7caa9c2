//! The kernel's own cost: an epoll loop that reads what has arrived, parses nothing, and writes one answer. It has the
//! layout of the other servers: one loop per core, connections distributed in turn.

use tokio::sync::mpsc;

use crate::Result;
use crate::baseline::{Baseline, serve_with};

/// The argument that makes this binary the server.
pub const ARGUMENT: &str = "--serve-epoll";

/// Starts the server; it answers every read with `answer`.
pub fn start(answer: &[u8]) -> Result<Baseline> {
    Baseline::launch(ARGUMENT, answer)
}

/// The server itself: serves until standard input is closed.
pub fn serve() -> Result<()> {
    serve_with(work)
}

#[cfg(target_os = "linux")]
fn work(answer: &[u8], connections: mpsc::UnboundedReceiver<std::net::TcpStream>) -> Result<()> {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::sync::Arc;

    use rustix::buffer::spare_capacity;
    use rustix::event::epoll;
    use rustix::io::Errno;

    let poll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
    let arrived = register(poll.clone(), connections);
    let mut streams = Vec::new();
    let (mut events, mut input) = (Vec::with_capacity(1024), [0; 4096]);
    loop {
        events.clear();
        match epoll::wait(&*poll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let data = event.data;
            let number = usize::try_from(data.u64())?;
            while streams.len() <= number {
                streams.push(Some(arrived.recv()?));
            }
            let Some(stream) = &mut streams[number] else { continue };
            let outcome = match stream.read(&mut input) {
                Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => stream.write_all(answer),
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if error.kind() != ErrorKind::WouldBlock => streams[number] = None,
                _ => {}
            }
        }
    }
}

/// Registers each connection with a loop, edge-triggered as tokio does, and passes it on in the order of its number.
#[cfg(target_os = "linux")]
fn register(
    poll: std::sync::Arc<std::os::fd::OwnedFd>,
    mut connections: mpsc::UnboundedReceiver<std::net::TcpStream>,
) -> std::sync::mpsc::Receiver<std::net::TcpStream> {
    use rustix::event::epoll;

    let (sender, arrived) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut number = 0;
        while let Some(stream) = connections.blocking_recv() {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            let added = stream
                .set_nodelay(true)
                .and_then(|()| Ok(epoll::add(&*poll, &stream, epoll::EventData::new_u64(number), flags)?));
            if let Err(error) = added {
                eprintln!("epoll server: {error}");
                std::process::exit(1);
            }
            number += 1;
            // Fails only if the loop has ended, and then the process ends.
            let _ = sender.send(stream);
        }
    });
    arrived
}

#[cfg(not(target_os = "linux"))]
fn work(_: &[u8], _: mpsc::UnboundedReceiver<std::net::TcpStream>) -> Result<()> {
    Err("epoll needs Linux".into())
}
