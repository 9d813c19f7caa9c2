//! The recorded history of a deployment, and the check of the guarantee. Pure: it reads no clock.

use std::collections::BTreeSet;

use crate::world::NODES;

/// An answer of a node that was killed may be read so much later. It does not acknowledge anything again so soon.
const READING_US: u64 = 50_000;

/// A cut-off is in force on every node that reaches the store within this time (docs/api.md).
const CUTOFF_US: u64 = 2_000_000;

/// One answer to a validation; times in microseconds of one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    pub node: usize,
    /// The index of its token's [`Life`].
    pub token: usize,
    /// Before the request was sent.
    pub start_us: u64,
    /// After the answer was read.
    pub end_us: u64,
    pub status: u16,
}

/// The life of a token whose issue was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    pub issue_started_us: u64,
    pub issued_us: u64,
    /// When each node last acknowledged its issue or a rotation of it; 0 if it never did.
    pub acknowledged_us: [u64; NODES],
    /// When the first request that may have revoked it was sent.
    pub revocation_started_us: Option<u64>,
    /// When its revocation was acknowledged.
    pub revoked_us: Option<u64>,
    /// Whether that was a cut-off: a node looks for cut-offs by itself, if it has missed the event.
    pub is_cut_off: bool,
}

/// A period in which the store lost everything issued before the period's end: a 401 is right from its start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    pub start_us: u64,
    pub end_us: u64,
}

/// A node that was killed, and with it what it remembered: its last writes may be lost. A 401 is right from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeKilled {
    pub node: usize,
    /// Writes that it acknowledged from then on may be lost.
    pub since_us: u64,
    pub at_us: u64,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    pub lives: Vec<Life>,
    pub validations: Vec<Validation>,
    pub losses: Vec<Loss>,
    pub killed: Vec<NodeKilled>,
}

/// The guarantee to check.
#[derive(Clone, Copy, Debug)]
pub struct Guarantee {
    pub nodes: usize,
    /// A request sent later than this after the acknowledgement of a revocation is refused.
    pub lease_us: u64,
    /// The judge's tolerance on top.
    pub slack_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A 200 for a token whose revocation was acknowledged `lag_us` earlier.
    PassedLate { seen: Validation, lag_us: u64 },
    /// A 401 for a token that was live from before the request until after its answer.
    LiveRefused { seen: Validation, life: Life },
    /// A status other than 200, 401 and 503.
    OddStatus { seen: Validation },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    pub revocations: usize,
    /// Revocations after which every node was asked at a time when it had to refuse.
    pub revocations_judged: usize,
    /// Validations of tokens that had to be refused.
    pub judged: usize,
    /// Validations of tokens that had to be answered with 200 or 503.
    pub live: usize,
    /// Counts over all validations.
    pub admitted: usize,
    pub refused: usize,
    pub unavailable: usize,
    /// The latest start of an admitted request after the acknowledgement of its token's revocation.
    pub worst_lag_us: u64,
}

impl Verdict {
    /// Returns how many tokens passed after their revocation, and how many were refused although they were live.
    pub fn wronged(&self) -> (usize, usize) {
        let (mut passed, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for violation in &self.violations {
            match violation {
                Violation::PassedLate { seen, .. } => passed.insert(seen.token),
                Violation::LiveRefused { seen, .. } => refused.insert(seen.token),
                Violation::OddStatus { .. } => continue,
            };
        }
        (passed.len(), refused.len())
    }
}

impl History {
    pub fn judge(&self, guarantee: Guarantee) -> Verdict {
        let mut verdict = Verdict::default();
        let mut asked = vec![false; self.lives.len() * guarantee.nodes];
        for seen in &self.validations {
            let life = self.lives[seen.token];
            match seen.status {
                200 => verdict.admitted += 1,
                401 => verdict.refused += 1,
                503 => verdict.unavailable += 1,
                _ => verdict.violations.push(Violation::OddStatus { seen: *seen }),
            }
            if let Some(lag_us) = life.revoked_us.and_then(|revoked_us| seen.start_us.checked_sub(revoked_us))
            {
                if seen.status == 200 {
                    verdict.worst_lag_us = verdict.worst_lag_us.max(lag_us);
                }
                let promised_us = if life.is_cut_off { CUTOFF_US } else { guarantee.lease_us };
                if lag_us > promised_us + guarantee.slack_us {
                    verdict.judged += 1;
                    asked[seen.token * guarantee.nodes + seen.node] = true;
                    if seen.status == 200 {
                        verdict.violations.push(Violation::PassedLate { seen: *seen, lag_us });
                    }
                }
            }
            if self.lives_throughout(&life, seen) {
                verdict.live += 1;
                if seen.status == 401 {
                    verdict.violations.push(Violation::LiveRefused { seen: *seen, life });
                }
            }
        }
        verdict.revocations = self.lives.iter().filter(|life| life.revoked_us.is_some()).count();
        verdict.revocations_judged =
            asked.chunks(guarantee.nodes).filter(|nodes| nodes.iter().all(|a| *a)).count();
        verdict
    }

    /// Returns whether the token was certainly live from the start to the end of a request.
    fn lives_throughout(&self, life: &Life, seen: &Validation) -> bool {
        let may_be_lost = |loss: &Loss| loss.start_us <= seen.end_us && loss.end_us >= life.issue_started_us;
        let may_be_forgotten = |killed: &NodeKilled| {
            let acknowledged_us = life.acknowledged_us[killed.node];
            killed.at_us <= seen.end_us
                && (killed.since_us..=killed.at_us + READING_US).contains(&acknowledged_us)
        };
        life.issued_us <= seen.start_us
            && life.revocation_started_us.is_none_or(|revocation_us| seen.end_us <= revocation_us)
            && !self.losses.iter().any(may_be_lost)
            && !self.killed.iter().any(may_be_forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARANTEE: Guarantee = Guarantee { nodes: 2, lease_us: 500, slack_us: 10 };
    /// Issued at 100, revoked between 1,000 and 1,050.
    const REVOKED: Life = Life {
        issue_started_us: 50,
        issued_us: 100,
        acknowledged_us: [100, 0],
        revocation_started_us: Some(1000),
        revoked_us: Some(1050),
        is_cut_off: false,
    };
    const LIVE: Life = Life { revocation_started_us: None, revoked_us: None, ..REVOKED };
    /// The revocation was requested but not acknowledged.
    const DOUBTFUL: Life = Life { revoked_us: None, ..REVOKED };

    fn seen(node: usize, start_us: u64, status: u16) -> Validation {
        Validation { node, token: 0, start_us, end_us: start_us + 20, status }
    }

    fn judged(life: Life, validations: &[Validation]) -> Verdict {
        History { lives: vec![life], validations: validations.to_vec(), ..History::default() }
            .judge(GUARANTEE)
    }

    #[test]
    fn a_late_pass_is_found_but_not_one_at_the_boundary() {
        let at_boundary = seen(1, 1050 + 510, 200);
        let verdict = judged(REVOKED, &[at_boundary]);
        assert_eq!((verdict.violations.len(), verdict.judged, verdict.worst_lag_us), (0, 0, 510));

        let late = seen(1, 1050 + 511, 200);
        let verdict = judged(REVOKED, &[at_boundary, late]);
        assert_eq!(verdict.violations, [Violation::PassedLate { seen: late, lag_us: 511 }]);
        assert_eq!((verdict.judged, verdict.worst_lag_us), (1, 511));
    }

    #[test]
    fn a_cut_off_may_be_seen_later() {
        let cut_off = Life { is_cut_off: true, ..REVOKED };
        assert_eq!(judged(cut_off, &[seen(1, 1050 + CUTOFF_US, 200)]).violations, []);
        assert_eq!(judged(cut_off, &[seen(1, 1050 + CUTOFF_US + 11, 200)]).violations.len(), 1);
    }

    #[test]
    fn a_request_counts_from_its_start_however_late_its_answer() {
        let slow = Validation { end_us: 99_999, ..seen(0, 1049, 200) };
        let verdict = judged(REVOKED, &[slow]);
        assert_eq!((verdict.violations.len(), verdict.worst_lag_us), (0, 0));
    }

    #[test]
    fn an_unacknowledged_revocation_guarantees_nothing() {
        let verdict = judged(DOUBTFUL, &[seen(0, 5000, 200), seen(0, 5000, 401)]);
        assert_eq!((verdict.violations.len(), verdict.revocations, verdict.judged), (0, 0, 0));
    }

    #[test]
    fn a_wrong_refusal_is_found_only_between_issue_and_revocation() {
        let wrong = [seen(0, 100, 401), seen(0, 980, 401)];
        let verdict = judged(REVOKED, &wrong);
        let found = |seen| Violation::LiveRefused { seen, life: REVOKED };
        assert_eq!(verdict.violations, wrong.map(found));
        // In flight while the token was issued, or while it was being revoked.
        assert_eq!(judged(REVOKED, &[seen(0, 99, 401), seen(0, 981, 401)]).violations, []);
        assert_eq!(judged(LIVE, &[seen(0, 9999, 401)]).violations.len(), 1);
        assert_eq!(judged(LIVE, &[seen(0, 9999, 503)]).violations, []);
    }

    #[test]
    fn a_data_loss_excuses_refusals_but_not_passes() {
        let history = |validations: &[Validation]| History {
            lives: vec![REVOKED, Life { issue_started_us: 401, issued_us: 450, ..LIVE }],
            validations: validations.to_vec(),
            losses: vec![Loss { start_us: 300, end_us: 400 }],
            ..History::default()
        };
        assert_eq!(history(&[seen(0, 290, 401), seen(0, 500, 401)]).judge(GUARANTEE).violations, []);
        let before = seen(0, 279, 401);
        let later_token = Validation { token: 1, ..seen(0, 500, 401) };
        let late = seen(0, 1561, 200);
        let found = history(&[before, later_token, late]).judge(GUARANTEE).violations;
        assert!(
            matches!(
                found[..],
                [
                    Violation::LiveRefused { seen: a, .. },
                    Violation::LiveRefused { seen: b, .. },
                    Violation::PassedLate { seen: c, .. }
                ] if a == before && b == later_token && c == late
            ),
            "{found:?}"
        );
    }

    #[test]
    fn a_killed_node_excuses_refusals_of_what_it_acknowledged_last() {
        let judge = |life: Life, since_us: u64, seen: &[Validation]| {
            let killed = vec![NodeKilled { node: 0, since_us, at_us: 300 }];
            let history =
                History { lives: vec![life], validations: seen.to_vec(), killed, ..History::default() };
            history.judge(GUARANTEE).violations.len()
        };
        let refused = [seen(1, 290, 401)];
        assert_eq!(judge(LIVE, 90, &refused), 0);
        // Acknowledged before, by the other node, or refused before the node was killed.
        assert_eq!(judge(LIVE, 101, &refused), 1);
        assert_eq!(judge(Life { acknowledged_us: [0, 100], ..LIVE }, 90, &refused), 1);
        assert_eq!(judge(LIVE, 90, &[seen(1, 279, 401)]), 1);
    }

    #[test]
    fn a_revocation_is_judged_once_every_node_was_asked() {
        let verdict = judged(REVOKED, &[seen(0, 3000, 401)]);
        assert_eq!((verdict.revocations, verdict.revocations_judged), (1, 0));
        let verdict = judged(REVOKED, &[seen(0, 3000, 401), seen(1, 3000, 503)]);
        assert_eq!((verdict.revocations, verdict.revocations_judged, verdict.judged), (1, 1, 2));
        assert_eq!((verdict.refused, verdict.unavailable, verdict.violations.len()), (1, 1, 0));
    }

    #[test]
    fn any_other_status_is_found() {
        let odd = seen(0, 500, 500);
        assert_eq!(judged(LIVE, &[odd]).violations, [Violation::OddStatus { seen: odd }]);
    }
}
