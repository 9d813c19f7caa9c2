//! The messages to the service manager.

use std::ffi::OsStr;
use std::os::unix::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::socket::{address, send};
use crate::clock::Clock;
use crate::logging::repeated_fault::RepeatedFault;
use crate::printable::printable;

/// How long a message waits for room in the manager's queue. Then it is dropped and logged.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// A status is cut to so many bytes: systemd ignores messages of more than 4,096.
const MAX_STATUS_BYTES: usize = 1_000;
/// A manager that cannot be reached is logged at most once in this time.
const LOG_INTERVAL_MS: u64 = 60_000;

/// The service manager of this process, or none. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager(Option<Arc<Manager>>);

#[derive(Debug)]
struct Manager {
    address: SocketAddr,
    watchdog_timeout: Option<Duration>,
    clock: Clock,
    fault: RepeatedFault,
}

impl ServiceManager {
    /// The manager that the environment names: `NOTIFY_SOCKET` is its address, `WATCHDOG_USEC` and `WATCHDOG_PID` are those
    /// of sd_watchdog_enabled(3). A value that cannot be used is logged, and counts as unset.
    pub fn of_environment<'a>(
        variable: impl Fn(&str) -> Option<&'a OsStr>,
        process_id: u32,
        clock: Clock,
    ) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let Some(socket) = set("NOTIFY_SOCKET") else { return Self(None) };
        match address(socket) {
            Ok(address) => {
                let watchdog_timeout = watchdog_timeout(set, process_id);
                let fault = RepeatedFault::every_ms(LOG_INTERVAL_MS);
                Self(Some(Arc::new(Manager { address, watchdog_timeout, clock, fault })))
            }
            Err(error) => {
                tracing::warn!(%error, NOTIFY_SOCKET = ?socket, "service manager not notified");
                Self(None)
            }
        }
    }

    /// Whether there is a manager to tell anything.
    pub fn is_present(&self) -> bool {
        self.0.is_some()
    }

    /// Returns how long the manager waits for [`ServiceManager::alive`] before it restarts the process; `None` if it does
    /// not watch.
    pub fn watchdog_timeout(&self) -> Option<Duration> {
        self.0.as_ref()?.watchdog_timeout
    }

    /// The start, or a reload, is complete.
    pub async fn ready(&self) {
        self.send(|_| "READY=1".into()).await;
    }

    /// A reload begins. [`ServiceManager::ready`] ends it.
    pub async fn reloading(&self) {
        self.send(|clock| format!("RELOADING=1\nMONOTONIC_USEC={}", clock.monotonic_us())).await;
    }

    /// The process stops, within `timeout` at the latest: the manager waits for so long, even if its own limit is shorter.
    pub async fn stopping(&self, timeout: Duration) {
        self.send(|_| format!("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={}", timeout.as_micros()))
            .await;
    }

    /// Sets the text that `systemctl status` shows.
    pub async fn status(&self, text: &str) {
        self.send(|_| format!("STATUS={}", cut(printable(text)))).await;
    }

    /// The process works. It has to say so within [`ServiceManager::watchdog_timeout`] each time.
    pub async fn alive(&self) {
        self.send(|_| "WATCHDOG=1".into()).await;
    }

    async fn send(&self, message: impl FnOnce(&Clock) -> String) {
        let Some(manager) = &self.0 else { return };
        let sent = timeout(SEND_TIMEOUT, send(&manager.address, &message(&manager.clock))).await;
        let error = match sent {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its queue is full".to_owned(),
        };
        if let Some(due) = manager.fault.due(manager.clock.boottime_ms()) {
            tracing::warn!(error, suppressed = due.suppressed, "service manager not notified");
        }
    }
}

/// Returns the time of the watchdog, if the manager watches this process.
fn watchdog_timeout<'a>(
    variable: impl Fn(&'static str) -> Option<&'a OsStr>,
    process_id: u32,
) -> Option<Duration> {
    let number = |name| variable(name).and_then(OsStr::to_str).and_then(|text| text.parse::<u64>().ok());
    let is_other_process =
        variable("WATCHDOG_PID").is_some() && number("WATCHDOG_PID") != Some(process_id.into());
    if is_other_process {
        return None;
    }
    number("WATCHDOG_USEC").filter(|us| *us > 0).map(Duration::from_micros)
}

fn cut(mut text: String) -> String {
    let fits = |at: &usize| *at <= MAX_STATUS_BYTES && text.is_char_boundary(*at);
    let end = (0..=text.len()).rev().find(fits).unwrap_or_default();
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn manager_of(variables: &[(&str, &str)]) -> ServiceManager {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsStr::new(*value))
        };
        ServiceManager::of_environment(variable, 7, Clock::manual(0))
    }

    #[test]
    fn the_environment_says_whether_there_is_a_manager_and_a_watchdog() {
        let socket = ("NOTIFY_SOCKET", "/run/notify");
        let watchdog = |variables: &[(&str, &str)]| manager_of(variables).watchdog_timeout();
        assert!(!manager_of(&[]).is_present() && !manager_of(&[("NOTIFY_SOCKET", "")]).is_present());
        assert!(!manager_of(&[("NOTIFY_SOCKET", "relative")]).is_present());
        assert!(manager_of(&[socket]).is_present());
        let usec = ("WATCHDOG_USEC", "30000000");
        assert_eq!(watchdog(&[usec]), None);
        assert_eq!(watchdog(&[socket]), None);
        assert_eq!(watchdog(&[socket, usec]), Some(Duration::from_secs(30)));
        assert_eq!(watchdog(&[socket, usec, ("WATCHDOG_PID", "7")]), Some(Duration::from_secs(30)));
        for other in ["8", "x"] {
            assert_eq!(watchdog(&[socket, usec, ("WATCHDOG_PID", other)]), None);
        }
        for wrong in ["0", "-1", "soon"] {
            assert_eq!(watchdog(&[socket, ("WATCHDOG_USEC", wrong)]), None);
        }
    }

    #[tokio::test]
    async fn a_status_is_one_short_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = manager_of(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        let status = async |text: &str| {
            manager.status(text).await;
            let mut message = [0; 4096];
            let length = socket.recv(&mut message).unwrap();
            String::from_utf8(message[..length].to_vec()).unwrap()
        };
        assert_eq!(status("not ready\nREADY=1").await, "STATUS=not ready\\nREADY=1");
        assert_eq!(status(&"ü".repeat(2000)).await, format!("STATUS={}", "ü".repeat(MAX_STATUS_BYTES / 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_manager_that_reads_nothing_or_is_gone_delays_at_most_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let filler = UnixDatagram::unbound().unwrap();
        filler.set_nonblocking(true).unwrap();
        while filler.send_to(b"full", &path).is_ok() {}
        let manager = manager_of(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        timeout(SEND_TIMEOUT * 2, manager.ready()).await.unwrap();
        drop(socket);
        timeout(SEND_TIMEOUT, manager.ready()).await.unwrap();
    }
}
