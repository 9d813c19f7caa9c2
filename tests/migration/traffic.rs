//! Clients that send requests all the time, and the count of what they got.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::former::Login;
use super::proxy::{Stage, stage_of};
use crate::common::http::{Client, Response};
use crate::common::process::wait_within;

/// The prefix of the users who are logged in at Doorward.
pub const NATIVE: &str = "native-";
/// Concurrent clients.
pub const CLIENTS: usize = 4;
/// Starting and loaded machines included.
const DEADLINE_MS: u64 = 60_000;

/// Answers of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: usize,
    /// Answers with 401.
    pub refused: usize,
    /// Answers with any other status but 200, and requests without an answer.
    pub failed: usize,
    /// Answers with 200 for another user.
    pub mistaken: usize,
}

/// The logged-in clients and what happened to their requests.
#[derive(Default)]
pub struct Traffic {
    logins: Mutex<Vec<Arc<Login>>>,
    counts: Mutex<BTreeMap<Stage, Counts>>,
    /// The first answers that were not right.
    faults: Mutex<Vec<String>>,
    next: AtomicUsize,
    is_over: AtomicBool,
}

impl Traffic {
    pub fn add(&self, login: Login) {
        self.logins.lock().unwrap().push(Arc::new(login));
    }

    pub fn logins(&self) -> usize {
        self.logins.lock().unwrap().len()
    }

    /// Returns the clients that the former system logged in.
    pub fn foreign_logins(&self) -> Vec<Arc<Login>> {
        let logins = self.logins.lock().unwrap();
        logins.iter().filter(|login| !login.user.starts_with(NATIVE)).cloned().collect()
    }

    /// Sends requests to `addr` on behalf of all clients in turn, until the traffic ends.
    pub fn send(&self, addr: &str) {
        let mut stage = Stage::Former;
        while !self.is_over() {
            let login = {
                let logins = self.logins.lock().unwrap();
                logins[self.next.fetch_add(1, Ordering::Relaxed) % logins.len()].clone()
            };
            let request = format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\n{}: {}\r\n\r\n",
                login.header.0, login.header.1
            );
            let answer = Client::new(addr).try_send(request);
            if let Ok(response) = &answer {
                stage = stage_of(response).unwrap_or(stage);
            }
            self.count(stage, &login, answer);
        }
    }

    fn count(&self, stage: Stage, login: &Login, answer: std::io::Result<Response>) {
        let mut counts = self.counts.lock().unwrap();
        let counts = counts.entry(stage).or_default();
        counts.requests += 1;
        match &answer {
            Ok(response) if response.status == 200 && response.text() == login.user => return,
            Ok(response) if response.status == 200 => counts.mistaken += 1,
            Ok(response) if response.status == 401 => counts.refused += 1,
            _ => counts.failed += 1,
        }
        let mut faults = self.faults.lock().unwrap();
        if faults.len() < 5 {
            faults.push(format!("{stage:?}: {login:?}: {answer:?}"));
        }
    }

    /// Waits for further requests at a stage.
    pub fn wait_for_requests(&self, stage: Stage, requests: usize) {
        let count = || self.counts.lock().unwrap().get(&stage).copied().unwrap_or_default().requests;
        let before = count();
        wait_within(DEADLINE_MS, "requests", || (count() >= before + requests).then_some(()));
    }

    /// Waits for further requests at any stage; returns at the end of the traffic, too.
    pub fn pace(&self, requests: usize) {
        let until = self.next.load(Ordering::Relaxed) + requests;
        wait_within(DEADLINE_MS, "requests", || {
            (self.is_over() || self.next.load(Ordering::Relaxed) >= until).then_some(())
        });
    }

    /// Waits for further logins.
    pub fn wait_for_logins(&self, logins: usize) {
        let before = self.logins();
        wait_within(DEADLINE_MS, "logins", || (self.logins() >= before + logins).then_some(()));
    }

    /// Ends the traffic when the result is dropped, also if the test fails.
    pub fn until_drop(&self) -> impl Drop + '_ {
        struct End<'a>(&'a Traffic);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.is_over.store(true, Ordering::SeqCst);
            }
        }
        End(self)
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Returns the counts by stage, and the first faults.
    pub fn result(&self) -> (BTreeMap<Stage, Counts>, Vec<String>) {
        (self.counts.lock().unwrap().clone(), self.faults.lock().unwrap().clone())
    }
}
