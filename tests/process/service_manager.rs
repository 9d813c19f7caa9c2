//! The reports of the process to the service manager that started it (sd_notify(3)).

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::common::process::DEADLINE_MS;
use crate::common::server::Server;

/// A service manager's socket, and the messages in the order in which they arrive.
struct Manager {
    socket: UnixDatagram,
    dir: TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(DEADLINE_MS))).unwrap();
        Self { socket, dir }
    }

    /// Starts a server under this manager, on the embedded store unless the settings name another.
    fn start(&self, settings: &[(&str, &str)]) -> Server {
        let path = self.dir.path().join("notify");
        Server::start(&[settings, &[("NOTIFY_SOCKET", path.to_str().unwrap())]].concat())
    }

    fn next(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message in time");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// Returns the next message that is no sign of life.
    fn next_but_watchdog(&self) -> String {
        loop {
            let message = self.next();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_the_start_reloads_life_and_the_stop_in_order() {
    let manager = Manager::new();
    let config = manager.dir.path().join("doorward.toml");
    fs::write(&config, "log-level = \"warn\"\n").unwrap();
    let settings = [
        ("DOORWARD_CONFIG", config.to_str().unwrap()),
        ("DOORWARD_SHUTDOWN_DELAY", "100ms"),
        ("WATCHDOG_USEC", "300000"),
    ];
    let mut server = manager.start(&settings);
    assert_eq!(manager.next(), "READY=1");
    assert_eq!(manager.next_but_watchdog(), "STATUS=ready");
    for _ in 0..3 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }

    server.process().signal(Signal::HUP);
    let reloading = manager.next_but_watchdog();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
    assert!(time.parse::<u64>().unwrap() > 0, "{reloading}");
    assert_eq!(manager.next_but_watchdog(), "READY=1");

    fs::write(&config, "log-level = \"loud\"\n").unwrap();
    server.process().signal(Signal::HUP);
    assert!(manager.next_but_watchdog().starts_with("RELOADING=1\n"));
    assert_eq!(manager.next_but_watchdog(), "READY=1");
    assert_eq!(manager.next_but_watchdog(), "STATUS=ready; reload refused, mistakes in: log-level");

    server.process().signal(Signal::TERM);
    let mut stopping = manager.next_but_watchdog();
    // The worker that compares the status may notice the stop first.
    if stopping == "STATUS=stopping" {
        stopping = manager.next_but_watchdog();
    }
    assert_eq!(stopping, "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=18100000");
    assert_eq!(server.process().wait().code(), Some(0), "{}", server.log());
}

#[test]
fn the_status_says_why_a_node_is_not_ready() {
    let manager = Manager::new();
    let _server = manager.start(&[("DOORWARD_REDIS_URL", "redis+unix:///no/such/redis.sock")]);
    assert_eq!(manager.next(), "READY=1");
    let status = manager.next();
    assert!(status.starts_with("STATUS=not ready: redis unreachable: /no/such/redis.sock: "), "{status}");
}

#[test]
fn a_manager_that_cannot_be_reached_harms_nothing() {
    let manager = Manager::new();
    let gone = manager.dir.path().join("gone");
    for address in [gone.to_str().unwrap(), "relative", "@doorward-tests-nobody"] {
        let mut server = Server::start(&[("NOTIFY_SOCKET", address), ("WATCHDOG_USEC", "30000")]);
        server.wait_for_log("service manager not notified");
        server.issue(serde_json::json!({}));
        server.process().signal(Signal::HUP);
        server.wait_for_log("settings reloaded");
        assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    }
}
