//! Members of keys, read in pieces.

use redis::{Pipeline, Value, cmd};

use super::link::MasterLink;
use crate::store::error::StoreError;
use crate::store::redis::errors::unexpected;

/// Members of a key that one command reads, about.
const MEMBERS_PER_READ: usize = 128;
/// Keys whose members are read in one pipeline.
const KEYS_PER_READ: usize = 32;

/// The members of keys, read in pieces.
pub(crate) struct Pages {
    command: &'static str,
    keys: Vec<String>,
    /// The position of each key that is not read to its end, and its cursor.
    pending: Vec<(usize, u64)>,
}

/// Some members of some keys, by the position of the key.
#[derive(Default)]
pub(crate) struct MemberPage {
    /// The members of sets with their scores, or the fields of hashes with their values.
    pub(crate) members: Vec<(usize, Vec<u8>, Vec<u8>)>,
    /// Keys of another type.
    pub(crate) foreign: Vec<usize>,
}

impl Pages {
    /// Reads by `ZSCAN` or `HSCAN`.
    pub(crate) fn new(command: &'static str, keys: Vec<String>) -> Self {
        let pending = (0..keys.len()).rev().map(|at| (at, 0)).collect();
        Self { command, keys, pending }
    }

    /// Reads the next piece; `None` at the end.
    pub(crate) async fn next(&mut self, link: &MasterLink) -> Result<Option<MemberPage>, StoreError> {
        let some = self.pending.split_off(self.pending.len().saturating_sub(KEYS_PER_READ));
        if some.is_empty() {
            return Ok(None);
        }
        let mut pipeline = Pipeline::new();
        for (at, cursor) in &some {
            let scan = cmd(self.command)
                .arg(&self.keys[*at])
                .arg(cursor)
                .arg("COUNT")
                .arg(MEMBERS_PER_READ)
                .to_owned();
            pipeline.add_command(scan);
        }
        let mut page = MemberPage::default();
        for ((at, _), answer) in some.into_iter().zip(link.read(&pipeline).await?) {
            let Some(answer) = answer else {
                page.foreign.push(at);
                continue;
            };
            let (cursor, members) = scanned(answer)?;
            page.members.extend(members.into_iter().map(|(member, value)| (at, member, value)));
            if cursor != 0 {
                self.pending.push((at, cursor));
            }
        }
        Ok(Some(page))
    }
}

/// A cursor, and the pairs read.
type Scanned = (u64, Vec<(Vec<u8>, Vec<u8>)>);

fn scanned(answer: Value) -> Result<Scanned, StoreError> {
    redis::from_redis_value(answer).map_err(|_| unexpected("a scan"))
}
