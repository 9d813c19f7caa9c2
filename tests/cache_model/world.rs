//! The world around the cache: two masters with versioned tokens, their tracking connections, writers,
//! readers, a clock that is moved by hand; and the promise, asserted at every look-up.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::cache::{CacheLimits, Flight, Looked, NearCache, ServerIndex, TrackingConnection};
use crate::clock::Clock;
use crate::sync::{Mutex, MutexGuard, is_left_out};
use crate::token_string::TokenId;

pub const LEASE_MS: u64 = 3;

/// Each change of a token makes the next version; a value is the version that was read.
type Version = u64;

pub struct World {
    pub cache: NearCache<Version>,
    pub clock: Clock,
    masters: [Mutex<Master>; 2],
    witness: Mutex<Witness>,
}

#[derive(Default)]
struct Master {
    versions: HashMap<TokenId, Version>,
    /// What is on its way to the node, by connection.
    pipes: HashMap<u64, VecDeque<Message>>,
    newest_pipe: u64,
}

#[derive(Clone)]
enum Message {
    /// Push of one key, or of null with all that had changed by then.
    Push(Option<TokenId>, Vec<(TokenId, Version)>),
    /// The answer to the heartbeat sent at this time.
    Pong(u64),
}

/// What happened, as one who sees everything would tell it.
#[derive(Default)]
struct Witness {
    /// The newest version whose invalidation this node has received, or which it has acknowledged itself.
    known: HashMap<TokenId, Version>,
    acknowledged: Vec<(TokenId, Version, u64)>,
}

/// Who changes a token.
#[derive(Clone, Copy, PartialEq)]
pub enum By {
    ThisNode,
    Another,
}

/// A read by one look-up: from its beginning on, these hold.
struct Begun {
    at_ms: u64,
    known: Version,
}

pub fn token(name: &str) -> TokenId {
    TokenId::parse(&format!("{name:A>16}")).unwrap()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl World {
    pub fn new(capacity_entries: usize) -> Arc<Self> {
        let limits = CacheLimits { capacity_entries, servers: 2, lease_ms: LEASE_MS, stale_grace_ms: 0 };
        Arc::new(Self {
            cache: NearCache::new(limits),
            clock: Clock::manual(100),
            masters: Default::default(),
            witness: Mutex::default(),
        })
    }

    fn master(&self, server: u16) -> MutexGuard<'_, Master> {
        lock(&self.masters[usize::from(server)])
    }

    /// Changes a token, as ending it does: executed, pushed at the end of the event loop's turn, acknowledged.
    /// Between any two of these anything may happen.
    pub fn end(&self, server: u16, id: TokenId, by: By) {
        let version = self.master(server).next_version(id);
        self.master(server).push(&Message::Push(Some(id), vec![(id, version)]));
        if by == By::ThisNode && !is_left_out("own_invalidation") {
            self.cache.invalidate(&id);
        }
        self.acknowledge(&[(id, version)], by);
    }

    /// Changes every token of a server at once, as FLUSHALL does.
    pub fn end_all(&self, server: u16) {
        let changed: Vec<_> = {
            let mut master = self.master(server);
            let ids: Vec<_> = master.versions.keys().copied().collect();
            ids.into_iter().map(|id| (id, master.next_version(id))).collect()
        };
        self.master(server).push(&Message::Push(None, changed.clone()));
        self.acknowledge(&changed, By::Another);
    }

    fn acknowledge(&self, changed: &[(TokenId, Version)], by: By) {
        let mut witness = lock(&self.witness);
        let now_ms = self.clock.boottime_ms();
        for &(id, version) in changed {
            witness.acknowledged.push((id, version, now_ms));
            if by == By::ThisNode {
                witness.know(id, version);
            }
        }
    }

    fn begun(&self, id: &TokenId) -> Begun {
        let known = lock(&self.witness).known.get(id).copied().unwrap_or(0);
        Begun { at_ms: self.clock.boottime_ms(), known }
    }

    /// The promise.
    fn assert_kept(&self, id: &TokenId, begun: &Begun, value: Version) {
        assert!(value >= begun.known, "P1: older than an invalidation this node knew of before it began");
        for &(ended, version, at_ms) in &lock(&self.witness).acknowledged {
            let in_time = begun.at_ms < at_ms + LEASE_MS;
            assert!(ended != *id || value >= version || in_time, "P2: older than an ending a lease ago");
        }
    }

    /// The whole look-up as the server does it; one read in eight fails.
    pub fn look_up(&self, server: u16, id: TokenId) {
        let begun = self.begun(&id);
        let fails = thread_rng().gen_ratio(1, 8);
        let read = async || if fails { Err(()) } else { Ok(self.read(server, id).await) };
        if let Ok(value) = block_on(self.cache.get_or_read(&id, ServerIndex(server), &self.clock, read)) {
            self.assert_kept(&id, &begun, value);
        }
    }

    /// What is known of several tokens, as a batch asks.
    pub fn look_each(&self, ids: &[TokenId]) {
        let begun: Vec<_> = ids.iter().map(|id| self.begun(id)).collect();
        let see = |at: usize, value: Option<&Version>| {
            if let Some(value) = value {
                self.assert_kept(&ids[at], &begun[at], *value);
            }
            Looked::Hit(())
        };
        self.cache.look_each(ids, self.clock.boottime_ms(), |_| thread::yield_now(), see);
    }

    /// A look-up whose request goes to `asked`, and is answered by `answers`, as after MOVED.
    pub fn look_up_moved(&self, asked: u16, answers: u16, id: TokenId) {
        let begun = self.begun(&id);
        let read = async || Ok::<_, ()>(self.read(answers, id).await);
        if let Ok(value) = block_on(self.cache.get_or_read(&id, ServerIndex(asked), &self.clock, read)) {
            self.assert_kept(&id, &begun, value);
        }
    }

    async fn read(&self, server: u16, id: TokenId) -> (Version, Option<ServerIndex>) {
        let version = *self.master(server).versions.entry(id).or_default();
        // The reply takes its time, sometimes so long that all else can happen meanwhile.
        for _ in 0..[0, 2, 8, 40][thread_rng().gen_range(0..4)] {
            shuttle::future::yield_now().await;
        }
        (version, Some(ServerIndex(server)))
    }

    /// A request that is cancelled as soon as it has begun.
    pub fn cancel(&self, server: u16, id: TokenId) {
        let flight = self.cache.begin(&id, ServerIndex(server), self.clock.boottime_ms());
        thread::yield_now();
        drop::<Flight<'_, Version>>(flight);
    }

    /// Moves the clock `ticks` times, at any pace.
    pub fn pass_time(&self, ticks: u64) {
        for _ in 0..ticks {
            for _ in 0..thread_rng().gen_range(0..12) {
                thread::yield_now();
            }
            self.clock.advance_ms(1);
        }
    }
}

impl Master {
    fn next_version(&mut self, id: TokenId) -> Version {
        let version = self.versions.entry(id).or_default();
        *version += 1;
        *version
    }

    fn push(&mut self, message: &Message) {
        for pipe in self.pipes.values_mut() {
            pipe.push_back(message.clone());
        }
    }
}

impl Witness {
    fn know(&mut self, id: TokenId, version: Version) {
        let known = self.known.entry(id).or_default();
        *known = version.max(*known);
    }
}

/// The node's end of one tracking connection.
pub struct Tracker<'a> {
    world: &'a World,
    /// The master it really reaches.
    server: u16,
    pipe: u64,
    connection: TrackingConnection,
}

impl<'a> Tracker<'a> {
    pub fn connect(world: &'a World, server: u16) -> Self {
        Self::connect_astray(world, server, server)
    }

    /// A connection taken for one to `server` that reaches `reached`: an address that was handed on.
    pub fn connect_astray(world: &'a World, server: u16, reached: u16) -> Self {
        let pipe = {
            let mut master = world.master(reached);
            master.newest_pipe += 1;
            let pipe = master.newest_pipe;
            master.pipes.insert(pipe, VecDeque::new());
            pipe
        };
        let connection = world.cache.start_tracking(ServerIndex(server)).unwrap();
        Self { world, server: reached, pipe, connection }
    }

    /// Sends a heartbeat; its answer goes to the end of what is on its way.
    pub fn heartbeat(&self) {
        let sent_at_ms = self.world.clock.boottime_ms();
        if let Some(pipe) = self.world.master(self.server).pipes.get_mut(&self.pipe) {
            pipe.push_back(Message::Pong(sent_at_ms));
        }
    }

    /// Applies what has been on its way longest.
    pub fn receive(&self) {
        let message = self.world.master(self.server).pipes.get_mut(&self.pipe).and_then(|pipe| {
            // Left out, answers overtake pushes, as they can where a client hands them to two channels.
            let overtaking = pipe.iter().position(|message| matches!(message, Message::Pong(_)));
            pipe.remove(overtaking.filter(|_| is_left_out("order")).unwrap_or(0))
        });
        match message {
            Some(Message::Pong(sent_at_ms)) => self.connection.heartbeat_answered(sent_at_ms),
            Some(Message::Push(key, changed)) => {
                match key {
                    Some(id) => {
                        self.world.cache.invalidate(&id);
                    }
                    None => self.connection.invalidate_all(),
                }
                let mut witness = lock(&self.world.witness);
                changed.into_iter().for_each(|(id, version)| witness.know(id, version));
            }
            None => {}
        }
    }

    pub fn receive_all(&self) {
        while self.world.master(self.server).pipes.get(&self.pipe).is_some_and(|pipe| !pipe.is_empty()) {
            self.receive();
        }
    }

    /// The connection breaks, and what is on its way is lost. The node does not know yet.
    pub fn break_off(&self) {
        self.world.master(self.server).pipes.remove(&self.pipe);
    }

    /// The node has noticed, and connects anew.
    pub fn reconnect(self) -> Self {
        self.break_off();
        let (world, server) = (self.world, self.server);
        drop(self);
        Self::connect(world, server)
    }

    /// Lives through `steps` steps of what can happen to a connection.
    pub fn live(mut self, steps: usize) {
        for _ in 0..steps {
            match thread_rng().gen_range(0..12) {
                0..6 => self.receive(),
                6..10 => self.heartbeat(),
                10 => self.break_off(),
                _ => self = self.reconnect(),
            }
        }
    }
}
