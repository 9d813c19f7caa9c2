//! The world around the cache: two masters with versioned tokens, their tracking connections, writers, readers and a
//! manual clock. Every look-up asserts the guarantee.

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

/// Each change of a token creates its next version; a value is the version that was read.
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
    /// The messages in flight to the node, by connection.
    pipes: HashMap<u64, VecDeque<Message>>,
    newest_pipe: u64,
}

#[derive(Clone)]
enum Message {
    /// A push of one key, or of null with everything that had changed by then.
    Push(Option<TokenId>, Vec<(TokenId, Version)>),
    /// The answer to a heartbeat, with the time at which it was sent.
    Pong(u64),
}

/// The true state, as an omniscient observer sees it.
#[derive(Default)]
struct Witness {
    /// The newest version whose invalidation this node has received, or which this node has acknowledged.
    known: HashMap<TokenId, Version>,
    acknowledged: Vec<(TokenId, Version, u64)>,
}

/// The origin of a change.
#[derive(Clone, Copy, PartialEq)]
pub enum By {
    ThisNode,
    Another,
}

/// The bounds that a look-up must respect, taken when it starts.
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

    /// Changes a token as a revocation does: executed, pushed at the end of the event loop's turn, acknowledged.
    /// Anything may happen between these steps.
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

    /// The guarantee.
    fn assert_kept(&self, id: &TokenId, begun: &Begun, value: Version) {
        assert!(value >= begun.known, "P1: older than an invalidation this node knew of before it began");
        for &(revoked, version, at_ms) in &lock(&self.witness).acknowledged {
            let in_time = begun.at_ms < at_ms + LEASE_MS;
            assert!(revoked != *id || value >= version || in_time, "P2: older than a revocation a lease ago");
        }
    }

    /// Makes a look-up as the server does; one read in eight fails.
    pub fn look_up(&self, server: u16, id: TokenId) {
        let begun = self.begun(&id);
        let fails = thread_rng().gen_ratio(1, 8);
        let read = async || if fails { Err(()) } else { Ok(self.read(server, id).await) };
        if let Ok(value) = block_on(self.cache.get_or_read(&id, ServerIndex(server), &self.clock, read)) {
            self.assert_kept(&id, &begun, value);
        }
    }

    /// Looks several tokens up in the cache, as a batch does.
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

    /// Makes a look-up that is sent to `asked` and answered by `answers`, as after MOVED.
    pub fn look_up_moved(&self, asked: u16, answers: u16, id: TokenId) {
        let begun = self.begun(&id);
        let read = async || Ok::<_, ()>(self.read(answers, id).await);
        if let Ok(value) = block_on(self.cache.get_or_read(&id, ServerIndex(asked), &self.clock, read)) {
            self.assert_kept(&id, &begun, value);
        }
    }

    async fn read(&self, server: u16, id: TokenId) -> (Version, Option<ServerIndex>) {
        let version = *self.master(server).versions.entry(id).or_default();
        // The reply takes random time, sometimes long enough for everything else to happen first.
        for _ in 0..[0, 2, 8, 40][thread_rng().gen_range(0..4)] {
            shuttle::future::yield_now().await;
        }
        (version, Some(ServerIndex(server)))
    }

    /// Makes a request that is cancelled as soon as it has begun.
    pub fn cancel(&self, server: u16, id: TokenId) {
        let flight = self.cache.begin(&id, ServerIndex(server), self.clock.boottime_ms());
        thread::yield_now();
        drop::<Flight<'_, Version>>(flight);
    }

    /// Advances the clock `ticks` times, at any pace.
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

/// The node's side of one tracking connection.
pub struct Tracker<'a> {
    world: &'a World,
    /// The master that it really reaches.
    server: u16,
    pipe: u64,
    connection: TrackingConnection,
}

impl<'a> Tracker<'a> {
    pub fn connect(world: &'a World, server: u16) -> Self {
        Self::connect_astray(world, server, server)
    }

    /// Opens a connection believed to lead to `server` that leads to `reached`: the address was reassigned.
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

    /// Sends a heartbeat; its answer is queued behind the messages in flight.
    pub fn heartbeat(&self) {
        let sent_at_ms = self.world.clock.boottime_ms();
        if let Some(pipe) = self.world.master(self.server).pipes.get_mut(&self.pipe) {
            pipe.push_back(Message::Pong(sent_at_ms));
        }
    }

    /// Applies the oldest message in flight.
    pub fn receive(&self) {
        let message = self.world.master(self.server).pipes.get_mut(&self.pipe).and_then(|pipe| {
            // Without this protection, answers overtake pushes, as they can if a client hands them to two channels.
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

    /// Breaks the connection and loses the messages in flight. The node does not know yet.
    pub fn break_off(&self) {
        self.world.master(self.server).pipes.remove(&self.pipe);
    }

    /// The node notices and reconnects.
    pub fn reconnect(self) -> Self {
        self.break_off();
        let (world, server) = (self.world, self.server);
        drop(self);
        Self::connect(world, server)
    }

    /// Runs `steps` random events of a connection.
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
