//! Whether a server has the authority of a master. Reads prove nothing: a master that was demoted, or cut off from its
//! cluster, still answers them, for ever, with what it knew then. It refuses writes.

use redis::aio::ConnectionLike;
use redis::cmd;

use super::master_map::Master;
use crate::store::redis::errors::describe;
use crate::store::redis::lookup::request::code_of;

/// So many slots are tried: those on the move answer for none.
const PROBES: usize = 3;

/// What it means that a write was refused.
pub(crate) enum ProbeRefusal {
    /// A master whose disk fails refuses writes and is the master all the same.
    Harmless,
    /// The slot is about to go: only its master, and only in a cluster that is fine, says that. But whether it has the
    /// replicas that it should have, it did not look at; so the next probe is in another slot.
    Leaving,
    /// The slot has gone; that says nothing of others.
    Gone,
    /// It is no master, or one that must not be believed.
    OfTheServer,
}

/// Reads the code at the start of an error.
pub(crate) fn refusal(error: &str) -> ProbeRefusal {
    match code_of(error) {
        "MISCONF" => ProbeRefusal::Harmless,
        "ASK" => ProbeRefusal::Leaving,
        "MOVED" => ProbeRefusal::Gone,
        _ => ProbeRefusal::OfTheServer,
    }
}

/// Proves the authority of a server by a write that changes nothing. A master whose disk fails has it if
/// `without_writes` is enough.
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
        outcome = match refusal(error.code().unwrap_or_default()) {
            ProbeRefusal::Harmless if without_writes => return Ok(()),
            ProbeRefusal::Leaving => Ok(()),
            ProbeRefusal::Gone => Err(describe(&error)),
            ProbeRefusal::Harmless | ProbeRefusal::OfTheServer => return Err(describe(&error)),
        };
        master.next_probe();
    }
    outcome
}
