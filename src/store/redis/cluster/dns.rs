//! Looking up the names of servers. The system's resolver blocks a thread for as long as it likes, 10 s and more when no
//! name server answers. So:
//!
//! 1. A name is looked up once for all who ask at the same time, and its outcome is used for a moment.
//! 2. A look-up has a thread of its own. Nobody waits for it when the process ends.
//! 3. A look-up that takes longer than [`PATIENCE`] is given up on, and another one started; at most [`MAX_HUNG`] of a
//!    name are under way.
//! 4. Whoever asks for a name that cannot be looked up now gets its last addresses.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use redis::io::AsyncDNSResolver;
use redis::{ErrorKind, RedisError, RedisFuture};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock::Clock;

/// A look-up that takes longer is given up on.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most look-ups of a name that are under way, given up on or not.
const MAX_HUNG: usize = 4;
/// An outcome is used for this long.
const FRESH_MS: u64 = 500;
/// If there are last addresses, the next ones are waited for no longer than this.
const WAIT_WITH_LAST: Duration = Duration::from_millis(100);
/// The most names remembered.
const MAX_NAMES: usize = 512;

type Resolve = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<Shared>);

struct Shared {
    clock: Clock,
    resolve: Box<Resolve>,
    names: Mutex<HashMap<String, Name>>,
}

/// What is known of a name.
struct Name {
    /// Of the last look-up that had any.
    addresses: Vec<IpAddr>,
    /// When the last look-up ended.
    ended_ms: Option<u64>,
    /// Why it failed.
    error: Option<String>,
    /// When the newest look-up began.
    began_ms: u64,
    under_way: usize,
    /// Counts the look-ups that have ended.
    ended: watch::Sender<u64>,
}

impl Default for Name {
    fn default() -> Self {
        let ended = watch::Sender::new(0);
        Self { addresses: Vec::new(), ended_ms: None, error: None, began_ms: 0, under_way: 0, ended }
    }
}

impl Name {
    fn is_fresh(&self, now_ms: u64) -> bool {
        self.ended_ms.is_some_and(|ended_ms| now_ms.saturating_sub(ended_ms) < FRESH_MS)
    }

    fn needs_look_up(&self, now_ms: u64) -> bool {
        let patience_ms = PATIENCE.as_millis() as u64;
        let is_hung = now_ms.saturating_sub(self.began_ms) >= patience_ms;
        self.under_way == 0 || (is_hung && self.under_way < MAX_HUNG)
    }

    /// The addresses to be tried now.
    fn outcome(&self) -> io::Result<Vec<IpAddr>> {
        if !self.addresses.is_empty() {
            return Ok(self.addresses.clone());
        }
        let reason = self.error.as_deref().unwrap_or("the name is not looked up in time");
        Err(io::Error::new(io::ErrorKind::NotFound, reason.to_owned()))
    }
}

impl Resolver {
    /// Resolver of the system's resolver.
    pub(crate) fn system() -> Self {
        // The port is none of the resolver's business.
        let resolve = |host: &str| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect());
        Self::new(Clock::system(), Box::new(resolve))
    }

    fn new(clock: Clock, resolve: Box<Resolve>) -> Self {
        Self(Arc::new(Shared { clock, resolve, names: Mutex::default() }))
    }

    /// The addresses of a host: an address itself, or a name.
    ///
    /// # Errors
    /// `NotFound` if a name has none, or cannot be looked up now and never was.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let with_port = |addresses: Vec<IpAddr>| {
            addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()
        };
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(with_port(vec![address]));
        }
        let mut ended = {
            let now_ms = self.0.clock.boottime_ms();
            let mut names = self.0.names();
            if names.len() >= MAX_NAMES && !names.contains_key(host) {
                names.retain(|_, name| name.under_way > 0);
            }
            let name = names.entry(host.to_owned()).or_default();
            if name.is_fresh(now_ms) {
                return name.outcome().map(with_port);
            }
            if name.needs_look_up(now_ms) {
                name.began_ms = now_ms;
                name.under_way += 1;
                if let Err(error) = self.start(host) {
                    name.under_way -= 1;
                    return if name.addresses.is_empty() {
                        Err(error)
                    } else {
                        name.outcome().map(with_port)
                    };
                }
            }
            name.ended.subscribe()
        };
        let has_last = self.0.names().get(host).is_some_and(|name| !name.addresses.is_empty());
        let _ = timeout(if has_last { WAIT_WITH_LAST } else { PATIENCE }, ended.changed()).await;
        self.0.names().entry(host.to_owned()).or_default().outcome().map(with_port)
    }

    /// Starts a look-up.
    fn start(&self, host: &str) -> io::Result<()> {
        let (shared, host) = (self.0.clone(), host.to_owned());
        let look_up = move || {
            let outcome = (shared.resolve)(&host);
            shared.ended(&host, outcome);
        };
        thread::Builder::new().name("look-up".into()).spawn(look_up).map(drop)
    }
}

impl Shared {
    fn names(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, host: &str, outcome: io::Result<Vec<IpAddr>>) {
        let now_ms = self.clock.boottime_ms();
        let mut names = self.names();
        let name = names.entry(host.to_owned()).or_default();
        name.under_way = name.under_way.saturating_sub(1);
        name.ended_ms = Some(now_ms);
        match outcome {
            Ok(addresses) if !addresses.is_empty() => {
                (name.addresses, name.error) = (addresses, None);
            }
            Ok(_) => name.error = Some("the name has no address".into()),
            Err(error) => name.error = Some(error.to_string()),
        }
        name.ended.send_modify(|count| *count += 1);
    }
}

/// For the connections of the library.
impl AsyncDNSResolver for Resolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let addresses = self
                .addresses(host, port)
                .await
                .map_err(|error| RedisError::from((ErrorKind::Io, "name not resolved", error.to_string())))?;
            Ok(Box::new(addresses.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// What look-ups come to, one after the other; a look-up waits for its outcome.
    fn scripted(clock: &Clock) -> (Resolver, mpsc::Sender<io::Result<u8>>, Arc<AtomicUsize>) {
        let (outcomes, next) = mpsc::channel::<io::Result<u8>>();
        let (next, count) = (Mutex::new(next), Arc::new(AtomicUsize::new(0)));
        let counted = count.clone();
        let resolve = move |_: &str| {
            counted.fetch_add(1, Ordering::SeqCst);
            let outcome = next.lock().unwrap().recv().unwrap_or(Ok(0));
            outcome.map(|last| vec![IpAddr::from([10, 0, 0, last])])
        };
        (Resolver::new(clock.clone(), Box::new(resolve)), outcomes, count)
    }

    fn gone() -> io::Result<u8> {
        Err(io::Error::other("no such name"))
    }

    async fn last_byte(names: &Resolver) -> Result<u8, String> {
        match names.addresses("redis", 6379).await.map_err(|error| error.to_string())?[..] {
            [SocketAddr::V4(address)] => Ok(address.ip().octets()[3]),
            ref other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn addresses_are_not_looked_up() {
        let (names, _outcomes, count) = scripted(&Clock::manual(0));
        for (host, address) in [("10.1.2.3", "10.1.2.3:7"), ("::1", "[::1]:7")] {
            assert_eq!(names.addresses(host, 7).await.unwrap(), [address.parse().unwrap()]);
        }
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_all_who_ask() {
        let clock = Clock::manual(0);
        let (names, outcomes, count) = scripted(&clock);
        let askers: Vec<_> = (0..50)
            .map(|_| {
                let names = names.clone();
                tokio::spawn(async move { last_byte(&names).await })
            })
            .collect();
        tokio::task::yield_now().await;
        outcomes.send(Ok(1)).unwrap();
        for asker in askers {
            assert_eq!(asker.await.unwrap(), Ok(1));
        }
        assert_eq!((last_byte(&names).await, count.load(Ordering::SeqCst)), (Ok(1), 1));
        clock.advance_ms(FRESH_MS);
        outcomes.send(Ok(2)).unwrap();
        assert_eq!((last_byte(&names).await, count.load(Ordering::SeqCst)), (Ok(2), 2));
    }

    #[tokio::test]
    async fn a_name_that_is_gone_keeps_its_last_addresses() {
        let clock = Clock::manual(0);
        let (names, outcomes, _) = scripted(&clock);
        outcomes.send(gone()).unwrap();
        assert_eq!(last_byte(&names).await, Err("no such name".into()));
        for (outcome, last) in [(Ok(1), 1), (gone(), 1), (Ok(2), 2)] {
            clock.advance_ms(FRESH_MS);
            outcomes.send(outcome).unwrap();
            assert_eq!(last_byte(&names).await, Ok(last));
        }
    }

    #[tokio::test]
    async fn look_ups_that_hang_are_few_and_hold_up_nobody() {
        let clock = Clock::manual(0);
        let (names, outcomes, count) = scripted(&clock);
        outcomes.send(Ok(1)).unwrap();
        assert_eq!(last_byte(&names).await, Ok(1));
        for hung in 1..10 {
            clock.advance_ms(PATIENCE.as_millis() as u64);
            assert_eq!(last_byte(&names).await, Ok(1));
            assert_eq!(last_byte(&names).await, Ok(1), "once more");
            // The look-up's thread may not have begun yet.
            while count.load(Ordering::SeqCst) < 1 + hung.min(MAX_HUNG) {
                tokio::task::yield_now().await;
            }
            assert_eq!(count.load(Ordering::SeqCst), 1 + hung.min(MAX_HUNG));
        }
        // The name server is back: the next outcome counts at once.
        outcomes.send(Ok(2)).unwrap();
        while last_byte(&names).await != Ok(2) {}
    }
}
