//! What look-ups ask, and what comes of it.

use std::sync::Arc;

use super::resp;
use super::resp::{Parsed, RespReply};
use crate::model::token::record::TokenRecord;
use crate::store::cache::ServerIndex;
use crate::store::error::StoreError;
use crate::store::redis::cluster::endpoint::ServerAddress;
use crate::store::redis::schema::codec::token::record::{self as codec, COLD_FIELDS, HOT_FIELDS};
use crate::store::redis::schema::keys::Keys;
use crate::token_string::{HashTag, TokenId};

const ALL_FIELDS: usize = HOT_FIELDS.len() + COLD_FIELDS.len();

/// What was found, and the server that said so.
pub(crate) type ReadResult<T> = Result<(T, Arc<ServerIdentity>), StoreError>;

/// The server at the other end of a connection.
pub(crate) struct ServerIdentity {
    /// The number of the master it is reached as.
    pub(crate) index: ServerIndex,
    /// The id it has from its start to its end; empty where it has none.
    pub(crate) run_id: String,
}

/// How much of a token is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What validation needs.
    Hot,
    /// The details, too.
    Whole,
}

pub(crate) enum ReadRequest {
    TokenRecord(TokenId, Extent),
    /// The score of a member of an index of this shard.
    Score {
        shard: HashTag,
        index: String,
        member: String,
    },
}

pub(crate) enum ReadValue {
    TokenRecord(Option<Arc<TokenRecord>>),
    ScoreMs(Option<u64>),
}

impl ReadRequest {
    /// Where what is asked for lives.
    pub(crate) fn shard(&self) -> HashTag {
        match self {
            Self::TokenRecord(id, _) => id.hash_tag(),
            Self::Score { shard, .. } => *shard,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, keys: &Keys) {
        match self {
            Self::TokenRecord(id, extent) => {
                let key = keys.token(*id);
                let mut command: [&[u8]; 2 + ALL_FIELDS] = [b"HMGET"; 2 + ALL_FIELDS];
                command[1] = key.as_bytes();
                for (argument, field) in command[2..].iter_mut().zip(HOT_FIELDS.iter().chain(&COLD_FIELDS)) {
                    *argument = field.as_bytes();
                }
                let fields = if *extent == Extent::Hot { HOT_FIELDS.len() } else { ALL_FIELDS };
                resp::write_command(out, &command[..2 + fields]);
            }
            Self::Score { index, member, .. } => {
                resp::write_command(out, &[b"ZSCORE", index.as_bytes(), member.as_bytes()]);
            }
        }
    }

    pub(crate) fn read(&self, input: &[u8]) -> Parsed<RespReply<Result<ReadValue, StoreError>>> {
        match self {
            Self::TokenRecord(id, Extent::Hot) => resp::read_array::<{ HOT_FIELDS.len() }>(input)
                .map(|values| codec::record(*id, &values).map(ReadValue::TokenRecord)),
            Self::TokenRecord(id, Extent::Whole) => resp::read_array::<ALL_FIELDS>(input)
                .map(|values| codec::record(*id, &values).map(ReadValue::TokenRecord)),
            Self::Score { .. } => {
                resp::read_value(input).map(|score| Ok(ReadValue::ScoreMs(score.and_then(codec::score_ms))))
            }
        }
    }
}

/// Where a server said to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) to: ServerAddress,
    /// The slot is on its way there: that server must be told that we know.
    pub(crate) is_asking: bool,
}

impl Redirect {
    /// Reads `MOVED slot host:port` and `ASK slot host:port`, as the server `asked` said it.
    pub(crate) fn parse(error: &str, asked: &ServerAddress) -> Option<Self> {
        let mut words = error.split(' ');
        let is_asking = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        Some(Self { to: ServerAddress::parse(words.nth(1)?, asked)?, is_asking })
    }
}

/// The first word of an error: the rest may repeat what was asked.
pub(crate) fn code_of(error: &str) -> &str {
    error.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read() {
        let asked = ServerAddress::tcp("asked", 1);
        let read = |error| Redirect::parse(error, &asked);
        let to = |host| ServerAddress::tcp(host, 7000);
        assert_eq!(read("MOVED 3999 10.0.0.1:7000"), Some(Redirect { to: to("10.0.0.1"), is_asking: false }));
        assert_eq!(read("ASK 3999 :7000"), Some(Redirect { to: to("asked"), is_asking: true }));
        for other in ["", "MOVED", "MOVED 1", "MOVED 1 x", "TRYAGAIN 1 a:1", "ERR MOVED 1 a:1"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
