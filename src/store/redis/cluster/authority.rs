//! Proof that a server is the master of its slots.
//!
//! Reads prove nothing: a master that was demoted, or cut off from its cluster or its replicas, still answers them, with
//! what it knew then. It refuses writes. So a write that changes nothing is the proof: `DEL` of a key that never exists.

use redis::aio::ConnectionLike;
use redis::cmd;

use super::master::Master;
use crate::store::redis::errors::{describe, error_code};

/// Slots tried for a proof: a slot that is moving answers for no key.
const PROBES: usize = 3;

/// The state of a server that refused a write.
pub(crate) enum ProbeRefusal {
    /// The server is the master, but its disk fails and it refuses all writes.
    Harmless,
    /// The slot is about to move. Only its master, in a healthy cluster, says so. The server has not checked whether it
    /// has its replicas, so the next probe uses another slot.
    Leaving,
    /// The slot has moved away, which says nothing about the server's other slots.
    Gone,
    /// The server is no master, or must not be believed.
    OfTheServer,
}

impl ProbeRefusal {
    /// Reads the code at the start of an error.
    pub(crate) fn of(error: &str) -> Self {
        match error_code(error) {
            "MISCONF" => Self::Harmless,
            "ASK" => Self::Leaving,
            "MOVED" => Self::Gone,
            _ => Self::OfTheServer,
        }
    }
}

/// Proves that the server has the authority of a master. With `without_writes`, a master whose disk fails passes, too.
///
/// # Errors
/// Why the server must not be believed.
pub(crate) async fn prove(
    master: &Master,
    connection: &mut impl ConnectionLike,
    without_writes: bool,
) -> Result<(), String> {
    let mut outcome = Ok(());
    for _ in 0..PROBES {
        let Err(error) = cmd("DEL").arg(master.probe()).exec_async(connection).await else {
            return Ok(());
        };
        outcome = match ProbeRefusal::of(error.code().unwrap_or_default()) {
            ProbeRefusal::Harmless if without_writes => return Ok(()),
            ProbeRefusal::Leaving => Ok(()),
            ProbeRefusal::Gone => Err(describe(&error)),
            ProbeRefusal::Harmless | ProbeRefusal::OfTheServer => return Err(describe(&error)),
        };
        master.next_probe();
    }
    outcome
}
