//! Random recorded load on a deployment: workers issue, change, rotate and revoke tokens; watchers validate all of them
//! on every node again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use doorward::system::Clock;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::judge::{History, Life, Loss, NodeKilled, Validation};
use crate::timing::{LEASE_MS, now_us};
use crate::world::{Addresses, Admin, Gate, Issued, NODES};

const WORKERS_PER_NODE: usize = 2;
const WATCHERS_PER_NODE: usize = 2;
/// Few enough that each token is validated every few milliseconds.
const MAX_LIVE_PER_WORKER: usize = 8;
/// The longest pause of a worker after an operation, so that the watchers get their share of the machine.
const MAX_REST_MS: u64 = 20;
/// How long a revoked token is still watched, if the fault does not take longer.
const WATCH_ENDED_US: u64 = 3 * LEASE_MS * 1000;
/// The clocks of the nodes and of the store are closer than this, unless a fault makes them jump.
const CLOCKS_DIFFER: Duration = Duration::from_millis(300);
/// How often a revocation that got a 503 is retried on another node.
const ENDING_ATTEMPTS: usize = 4;

/// The record of all tokens so far.
pub struct Ledger {
    history: Mutex<History>,
    watched: Mutex<Vec<Watched>>,
    watch_ended_us: u64,
    /// Whether the load sets cut-offs. The clocks must not jump.
    sets_cutoffs: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        let mut ledger = Self::watching_for(WATCH_ENDED_US);
        ledger.sets_cutoffs = false;
        ledger
    }
}

#[derive(Clone)]
struct Watched {
    token: usize,
    token_string: Arc<str>,
    until_us: u64,
}

impl Ledger {
    /// Watches revoked tokens for so long, and has cut-offs set.
    pub fn watching_for(watch_ended_us: u64) -> Self {
        Self { history: Mutex::default(), watched: Mutex::default(), watch_ended_us, sets_cutoffs: true }
    }

    /// Enters a token whose issue was just acknowledged by a node.
    pub fn issued(&self, node: usize, issue_started_us: u64) -> usize {
        let issued_us = now_us();
        let mut acknowledged_us = [0; NODES];
        acknowledged_us[node] = issued_us;
        let life = Life {
            issue_started_us,
            issued_us,
            acknowledged_us,
            revocation_started_us: None,
            revoked_us: None,
            is_cut_off: false,
        };
        let lives = &mut self.history.lock().unwrap().lives;
        lives.push(life);
        lives.len() - 1
    }

    /// Records that a node acknowledged a rotation at this time.
    fn rotated(&self, node: usize, token: usize, at_us: u64) {
        self.history.lock().unwrap().lives[token].acknowledged_us[node] = at_us;
    }

    /// Records that a node was just killed. What it acknowledged from `since_us` on may be lost.
    pub fn node_killed(&self, node: usize, since_us: u64) {
        self.history.lock().unwrap().killed.push(NodeKilled { node, since_us, at_us: now_us() });
    }

    /// Records that a revocation is about to be requested. Returns true for the first attempt.
    pub fn revoking(&self, token: usize) -> bool {
        let life = &mut self.history.lock().unwrap().lives[token];
        let is_first = life.revocation_started_us.is_none();
        life.revocation_started_us.get_or_insert(now_us());
        is_first
    }

    /// Records that the revocation was acknowledged.
    pub fn revoked(&self, token: usize) {
        self.history.lock().unwrap().lives[token].revoked_us = Some(now_us());
    }

    /// Records that a cut-off that covers the token was acknowledged.
    fn cut_off(&self, token: usize) {
        self.history.lock().unwrap().lives[token].is_cut_off = true;
        self.revoked(token);
    }

    /// Records that the revocation was refused because the token is unknown.
    fn not_ended(&self, token: usize) {
        self.history.lock().unwrap().lives[token].revocation_started_us = None;
    }

    /// Records that the store loses everything while `lose` runs.
    pub fn losing(&self, lose: impl FnOnce()) {
        let start_us = now_us();
        lose();
        self.history.lock().unwrap().losses.push(Loss { start_us, end_us: now_us() });
    }

    pub fn record(&self, validations: impl IntoIterator<Item = Validation>) {
        self.history.lock().unwrap().validations.extend(validations);
    }

    pub fn into_history(self) -> History {
        self.history.into_inner().unwrap()
    }

    fn watch(&self, token: usize, token_string: &str) {
        self.watched.lock().unwrap().push(Watched {
            token,
            token_string: token_string.into(),
            until_us: u64::MAX,
        });
    }

    fn watch_no_longer(&self, token: usize) {
        let now_us = now_us();
        let mut watched = self.watched.lock().unwrap();
        watched.retain(|watched| watched.until_us > now_us);
        for watched in watched.iter_mut().filter(|watched| watched.token == token) {
            watched.until_us = now_us + self.watch_ended_us;
        }
    }

    fn pick(&self, rng: &mut StdRng) -> Option<Watched> {
        let watched = self.watched.lock().unwrap();
        (!watched.is_empty()).then(|| watched[rng.random_range(0..watched.len())].clone())
    }
}

fn user(node: usize, worker: usize) -> String {
    format!("user-{node}-{worker}")
}

/// The users whose tokens the load works on.
pub fn users() -> impl Iterator<Item = String> {
    (0..NODES).flat_map(|node| (0..WORKERS_PER_NODE).map(move |worker| user(node, worker)))
}

/// Runs the load while `meanwhile` does.
pub fn run(ledger: &Ledger, nodes: &[Addresses], seed: u64, meanwhile: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also when `meanwhile` panics: the scope waits for the threads.
        let _stopping = StopOnDrop(&stop);
        for node in 0..nodes.len() {
            for n in 0..WORKERS_PER_NODE {
                let rng = StdRng::seed_from_u64(seed ^ (1 + node * 10 + n) as u64);
                let mut worker = Worker::new(ledger, nodes, node, user(node, n), rng);
                worker.rotates = n == 0;
                let stop = &stop;
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        worker.step();
                    }
                });
            }
            for n in 0..WATCHERS_PER_NODE {
                let rng = StdRng::seed_from_u64(seed ^ (1001 + node * 10 + n) as u64);
                let (gate, stop) = (nodes[node].gate(), &stop);
                scope.spawn(move || watch(ledger, node, gate, rng, stop));
            }
        }
        meanwhile();
    });
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn watch(ledger: &Ledger, node: usize, mut gate: Gate, mut rng: StdRng, stop: &AtomicBool) {
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match ledger.pick(&mut rng) {
            Some(watched) => {
                seen.push(validation(node, watched.token, || gate.validate(&watched.token_string)))
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
    ledger.record(seen);
}

/// Times one request.
pub fn validation(node: usize, token: usize, ask: impl FnOnce() -> u16) -> Validation {
    let start_us = now_us();
    let status = ask();
    Validation { node, token, start_us, end_us: now_us(), status }
}

/// How all tokens of a user are ended.
#[derive(Clone, Copy)]
enum Way {
    Revoke,
    CutOff,
}

/// Returns the present time as the API takes it.
fn timestamp() -> String {
    let now_ms = Clock::system().now_ms() as i64;
    DateTime::from_timestamp_millis(now_ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A worker with its own users and tokens, so that it knows the state of each.
struct Worker<'a> {
    ledger: &'a Ledger,
    /// The only node that it calls, so that a hanging node does not block all workers.
    home: usize,
    clients: Vec<(Admin, Gate)>,
    user: String,
    rng: StdRng,
    tokens: Vec<(usize, Issued)>,
    /// Rotations go to both nodes, so a rotating worker waits for a hanging node.
    rotates: bool,
}

impl<'a> Worker<'a> {
    fn new(ledger: &'a Ledger, nodes: &[Addresses], home: usize, user: String, rng: StdRng) -> Self {
        let clients = nodes.iter().map(|node| (node.admin(), node.gate())).collect();
        Self { ledger, home, clients, user, rng, tokens: Vec::new(), rotates: false }
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            _ if self.tokens.is_empty() => self.issue(),
            0..10 if self.rotates => self.rotate(),
            0..40 if self.tokens.len() < MAX_LIVE_PER_WORKER => self.issue(),
            0..65 => self.set_slug(),
            65..95 => self.end_one(),
            95..97 if self.ledger.sets_cutoffs => self.end_all(Way::CutOff),
            _ => self.end_all(Way::Revoke),
        }
        thread::sleep(Duration::from_millis(self.rng.random_range(0..=MAX_REST_MS)));
    }

    fn issue(&mut self) {
        let started_us = now_us();
        let Some(issued) = self.clients[self.home].0.issue(&self.user) else { return };
        let token = self.ledger.issued(self.home, started_us);
        self.ledger.watch(token, &issued.token_string);
        self.tokens.push((token, issued));
    }

    fn set_slug(&mut self) {
        let at = self.rng.random_range(0..self.tokens.len());
        let slug = format!("s{}", self.rng.random_range(0..1000));
        let (token, issued) = &self.tokens[at];
        let admin = &mut self.clients[self.home].0;
        let seen = validation(self.home, *token, || match admin.set_slug(&issued.id, &slug) {
            404 => 401,
            status => status,
        });
        self.ledger.record([seen]);
        if seen.status == 401 {
            self.drop_token(at);
        }
    }

    /// Rotates on both nodes concurrently, as two browser tabs do. The browser keeps either answer; both are valid.
    fn rotate(&mut self) {
        let at = self.rng.random_range(0..self.tokens.len());
        let (token, issued) = &mut self.tokens[at];
        let id = issued.id.as_str();
        let answers: Vec<_> = thread::scope(|scope| {
            // One tab may wait much longer than the other, if a node fails.
            let tab = |(admin, _): &mut (Admin, Gate)| (admin.rotate(id), now_us());
            let tabs: Vec<_> =
                self.clients.iter_mut().map(|client| scope.spawn(move || tab(client))).collect();
            tabs.into_iter().map(|tab| tab.join().unwrap()).collect()
        });
        for (node, (token_string, at_us)) in answers.into_iter().enumerate() {
            let Some(token_string) = token_string else { continue };
            self.ledger.rotated(node, *token, at_us);
            self.ledger.watch(*token, &token_string);
            if self.rng.random() {
                issued.token_string = token_string;
            }
        }
    }

    fn end_one(&mut self) {
        let at = self.rng.random_range(0..self.tokens.len());
        let (token, issued) = &self.tokens[at];
        for attempt in 0..ENDING_ATTEMPTS {
            let node = (self.home + attempt) % self.clients.len();
            // Only the first attempt: a token that may be revoked already gets 401, which proves nothing.
            let by_log_out = attempt == 0 && self.rng.random_bool(0.3);
            let (admin, gate) = &mut self.clients[node];
            let is_first = self.ledger.revoking(*token);
            let seen = validation(node, *token, || match by_log_out {
                true => gate.log_out(&issued.token_string),
                false => admin.revoke(&issued.id),
            });
            match seen.status {
                200 | 204 => {
                    self.ledger.revoked(*token);
                    break;
                }
                401 | 404 => {
                    if is_first {
                        // The judge decides whether the 401 was right.
                        self.ledger.not_ended(*token);
                        self.ledger.record([Validation { status: 401, ..seen }]);
                    }
                    break;
                }
                _ => self.ledger.record([seen]),
            }
        }
        self.drop_token(at);
    }

    /// Ends all tokens of the worker's user.
    fn end_all(&mut self, way: Way) {
        // Later than any of the tokens, by the clock of any node: the time of the last one counts as issued before.
        thread::sleep(CLOCKS_DIFFER);
        let before = timestamp();

        for attempt in 0..ENDING_ATTEMPTS {
            for (token, _) in &self.tokens {
                self.ledger.revoking(*token);
            }
            let node = (self.home + attempt) % self.clients.len();
            let first = self.tokens[0].0;
            let admin = &mut self.clients[node].0;
            let seen = validation(node, first, || match way {
                Way::Revoke => admin.end_all(&self.user),
                Way::CutOff => admin.cut_off(&self.user, &before),
            });
            if [200, 201].contains(&seen.status) {
                self.tokens.iter().for_each(|(token, _)| match way {
                    Way::Revoke => self.ledger.revoked(*token),
                    Way::CutOff => self.ledger.cut_off(*token),
                });
                break;
            }
            self.ledger.record([seen]);
        }
        while !self.tokens.is_empty() {
            self.drop_token(0);
        }
        // What is issued from now on is later than the cut-off.
        thread::sleep(CLOCKS_DIFFER);
    }

    fn drop_token(&mut self, at: usize) {
        let (token, _) = self.tokens.swap_remove(at);
        self.ledger.watch_no_longer(token);
    }
}
