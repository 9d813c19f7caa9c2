//! Looking up the names of servers, without trusting the system's resolver to return in time.
//!
//! That resolver blocks a thread for 10 seconds and more when no name server answers. So:
//!
//! 1. Concurrent callers share one look-up of a name, and its outcome is used for `FRESH_MS`.
//! 2. A look-up has its own thread, which does not delay the end of the process.
//! 3. A look-up that takes longer than `PATIENCE` is abandoned, and another one is started. At most `MAX_RUNNING`
//!    look-ups of a name run at once.
//! 4. While a name cannot be looked up, its last addresses are used.

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

/// How long a look-up may take before it is abandoned.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most look-ups of a name that run at once, abandoned or not.
const MAX_RUNNING: usize = 4;
/// How long an outcome is used.
const FRESH_MS: u64 = 500;
/// How long a caller waits for new addresses if there are last ones.
const WAIT_WITH_LAST: Duration = Duration::from_millis(100);
/// The most names remembered.
const MAX_NAMES: usize = 512;

type Resolve = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Resolves host names. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<ResolverState>);

struct ResolverState {
    clock: Clock,
    resolve: Box<Resolve>,
    names: Mutex<HashMap<String, KnownName>>,
}

/// The last answers for a name.
struct KnownName {
    /// The addresses of the last look-up that found any.
    addresses: Vec<IpAddr>,
    /// When the last look-up ended.
    ended_ms: Option<u64>,
    /// Why the last look-up failed.
    error: Option<String>,
    /// When the newest look-up began.
    began_ms: u64,
    running: usize,
    /// The number of look-ups that have ended.
    ended: watch::Sender<u64>,
}

impl Default for KnownName {
    fn default() -> Self {
        let ended = watch::Sender::new(0);
        Self { addresses: Vec::new(), ended_ms: None, error: None, began_ms: 0, running: 0, ended }
    }
}

impl KnownName {
    fn is_fresh(&self, now_ms: u64) -> bool {
        self.ended_ms.is_some_and(|ended_ms| now_ms.saturating_sub(ended_ms) < FRESH_MS)
    }

    fn needs_look_up(&self, now_ms: u64) -> bool {
        let patience_ms = PATIENCE.as_millis() as u64;
        let is_hung = now_ms.saturating_sub(self.began_ms) >= patience_ms;
        self.running == 0 || (is_hung && self.running < MAX_RUNNING)
    }

    /// Returns the addresses to use now.
    fn outcome(&self) -> io::Result<Vec<IpAddr>> {
        if !self.addresses.is_empty() {
            return Ok(self.addresses.clone());
        }
        let reason = self.error.as_deref().unwrap_or("the name is not looked up in time");
        Err(io::Error::new(io::ErrorKind::NotFound, reason.to_owned()))
    }
}

impl Resolver {
    /// Returns a resolver that asks the system's.
    pub(crate) fn system() -> Self {
        // The standard library wants a port, which does not matter here.
        let resolve = |host: &str| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect());
        Self::new(Clock::system(), Box::new(resolve))
    }

    fn new(clock: Clock, resolve: Box<Resolve>) -> Self {
        Self(Arc::new(ResolverState { clock, resolve, names: Mutex::default() }))
    }

    /// Returns the addresses of a host, which is an IP address or a name.
    ///
    /// # Errors
    /// `NotFound` if a name has no address, or cannot be looked up now and never was.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.name_addresses(host).await?,
        };
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn name_addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let (mut ended, has_last) = {
            let now_ms = self.0.clock.boottime_ms();
            let mut names = self.0.names();
            if names.len() >= MAX_NAMES && !names.contains_key(host) {
                names.retain(|_, name| name.running > 0);
            }
            let name = names.entry(host.to_owned()).or_default();
            if name.is_fresh(now_ms) {
                return name.outcome();
            }
            let has_last = !name.addresses.is_empty();
            if name.needs_look_up(now_ms) {
                name.began_ms = now_ms;
                name.running += 1;
                if let Err(error) = self.start(host) {
                    name.running -= 1;
                    return if has_last { name.outcome() } else { Err(error) };
                }
            }
            (name.ended.subscribe(), has_last)
        };
        let _ = timeout(if has_last { WAIT_WITH_LAST } else { PATIENCE }, ended.changed()).await;
        self.0.names().entry(host.to_owned()).or_default().outcome()
    }

    /// Starts a look-up on its own thread.
    fn start(&self, host: &str) -> io::Result<()> {
        let (state, host) = (self.0.clone(), host.to_owned());
        let look_up = move || {
            let outcome = (state.resolve)(&host);
            state.record(&host, outcome);
        };
        thread::Builder::new().name("look-up".into()).spawn(look_up).map(drop)
    }
}

impl ResolverState {
    fn names(&self) -> MutexGuard<'_, HashMap<String, KnownName>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the outcome of a look-up that has ended, and wakes its callers.
    fn record(&self, host: &str, outcome: io::Result<Vec<IpAddr>>) {
        let now_ms = self.clock.boottime_ms();
        let mut names = self.names();
        let name = names.entry(host.to_owned()).or_default();
        name.running = name.running.saturating_sub(1);
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

/// The resolver for the connections of the redis crate.
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

    /// Returns a resolver whose look-ups take their outcomes from a channel, and a count of its look-ups.
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

    async fn last_byte(resolver: &Resolver) -> Result<u8, String> {
        match resolver.addresses("redis", 6379).await.map_err(|error| error.to_string())?[..] {
            [SocketAddr::V4(address)] => Ok(address.ip().octets()[3]),
            ref other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_ip_address_needs_no_look_up() {
        let (resolver, _outcomes, count) = scripted(&Clock::manual(0));
        for (host, address) in [("10.1.2.3", "10.1.2.3:7"), ("::1", "[::1]:7")] {
            assert_eq!(resolver.addresses(host, 7).await.unwrap(), [address.parse().unwrap()]);
        }
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_look_up() {
        let clock = Clock::manual(0);
        let (resolver, outcomes, count) = scripted(&clock);
        let callers: Vec<_> = (0..50)
            .map(|_| {
                let resolver = resolver.clone();
                tokio::spawn(async move { last_byte(&resolver).await })
            })
            .collect();
        tokio::task::yield_now().await;
        outcomes.send(Ok(1)).unwrap();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), Ok(1));
        }
        assert_eq!((last_byte(&resolver).await, count.load(Ordering::SeqCst)), (Ok(1), 1));
        clock.advance_ms(FRESH_MS);
        outcomes.send(Ok(2)).unwrap();
        assert_eq!((last_byte(&resolver).await, count.load(Ordering::SeqCst)), (Ok(2), 2));
    }

    #[tokio::test]
    async fn a_name_that_fails_keeps_its_last_addresses() {
        let clock = Clock::manual(0);
        let (resolver, outcomes, _) = scripted(&clock);
        outcomes.send(gone()).unwrap();
        assert_eq!(last_byte(&resolver).await, Err("no such name".into()));
        for (outcome, last) in [(Ok(1), 1), (gone(), 1), (Ok(2), 2)] {
            clock.advance_ms(FRESH_MS);
            outcomes.send(outcome).unwrap();
            assert_eq!(last_byte(&resolver).await, Ok(last));
        }
    }

    #[tokio::test]
    async fn hanging_look_ups_are_bounded_and_delay_no_caller() {
        let clock = Clock::manual(0);
        let (resolver, outcomes, count) = scripted(&clock);
        outcomes.send(Ok(1)).unwrap();
        assert_eq!(last_byte(&resolver).await, Ok(1));
        for hung in 1..10 {
            clock.advance_ms(PATIENCE.as_millis() as u64);
            assert_eq!(last_byte(&resolver).await, Ok(1));
            assert_eq!(last_byte(&resolver).await, Ok(1), "once more");
            // The look-up's thread may not have begun yet.
            while count.load(Ordering::SeqCst) < 1 + hung.min(MAX_RUNNING) {
                tokio::task::yield_now().await;
            }
            assert_eq!(count.load(Ordering::SeqCst), 1 + hung.min(MAX_RUNNING));
        }
        // The name server answers again: the next outcome is used at once.
        outcomes.send(Ok(2)).unwrap();
        while last_byte(&resolver).await != Ok(2) {}
    }
}
