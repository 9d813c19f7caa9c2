//! The requests of look-ups, and the answers of a server.

use std::sync::{Arc, LazyLock};

use super::resp::{self, ParsedReply, RespReply};
use crate::foreign::ForeignDigest;
use crate::model::token::TokenRecord;
use crate::store::cache::ServerIndex;
use crate::store::error::StoreError;
use crate::store::redis::cluster::data_identity::DataIdentity;
use crate::store::redis::schema::codec::alias;
use crate::store::redis::schema::codec::token::record::{self as codec, COLD_FIELDS, HOT_FIELDS};
use crate::store::redis::schema::keys::Keys;
use crate::token_string::{HashTag, TokenId};

const ALL_FIELDS: usize = HOT_FIELDS.len() + COLD_FIELDS.len();

static HOT_READ: LazyLock<FieldsRead> = LazyLock::new(|| FieldsRead::of(HOT_FIELDS.iter()));
static WHOLE_READ: LazyLock<FieldsRead> =
    LazyLock::new(|| FieldsRead::of(HOT_FIELDS.iter().chain(&COLD_FIELDS)));

/// The command that reads fields of a hash, written once but for its key: it is sent for every look-up.
struct FieldsRead {
    before_key: Vec<u8>,
    after_key: Vec<u8>,
}

impl FieldsRead {
    fn of<'a>(fields: impl Iterator<Item = &'a &'static str>) -> Self {
        let fields: Vec<_> = fields.collect();
        let mut before_key = format!("*{}\r\n", 2 + fields.len()).into_bytes();
        resp::write_bulk(&mut before_key, b"HMGET");
        let mut after_key = Vec::new();
        fields.iter().for_each(|field| resp::write_bulk(&mut after_key, field.as_bytes()));
        Self { before_key, after_key }
    }

    fn write(&self, out: &mut Vec<u8>, keys: &Keys, id: TokenId) {
        out.extend_from_slice(&self.before_key);
        keys.token_parts(id, |parts| resp::write_joined_bulk(out, &parts));
        out.extend_from_slice(&self.after_key);
    }
}

/// The answer, and the server that gave it.
pub(crate) type ReadResult<T> = Result<(T, Arc<ServerIdentity>), StoreError>;

/// The server at the other end of a connection.
pub(crate) struct ServerIdentity {
    /// The number of the master whose address was connected to.
    pub(crate) index: ServerIndex,
    /// The data that it serves.
    pub(crate) data: Arc<DataIdentity>,
}

/// How much of a token is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The fields that validation needs.
    Hot,
    /// The details, too.
    Whole,
}

/// A read of one value.
pub(crate) enum ReadRequest {
    TokenRecord(TokenId, Extent),
    /// The token of an alias.
    Alias(ForeignDigest),
    /// The score of a member of an index. Boxed, so that other reads are no larger for it.
    Score(Box<ScoreRead>),
}

/// A read of the score of a member of an index.
pub(crate) struct ScoreRead {
    pub(crate) hash_tag: HashTag,
    pub(crate) index: String,
    pub(crate) member: String,
}

/// The answer to a [`ReadRequest`].
pub(crate) enum ReadValue {
    TokenRecord(Option<Arc<TokenRecord>>),
    Alias(Option<TokenId>),
    ScoreMs(Option<u64>),
}

impl ReadRequest {
    /// Returns the hash tag of the key, which decides its slot.
    pub(crate) fn hash_tag(&self) -> HashTag {
        match self {
            Self::TokenRecord(id, _) => id.hash_tag(),
            Self::Alias(digest) => digest.alias_hash_tag(),
            Self::Score(read) => read.hash_tag,
        }
    }

    /// Returns the name of the command.
    pub(crate) fn command(&self) -> &'static str {
        match self {
            Self::TokenRecord(..) => "HMGET",
            Self::Alias(_) => "GET",
            Self::Score(_) => "ZSCORE",
        }
    }

    /// Appends the command to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, keys: &Keys) {
        let name = self.command().as_bytes();
        match self {
            Self::TokenRecord(id, Extent::Hot) => HOT_READ.write(out, keys, *id),
            Self::TokenRecord(id, Extent::Whole) => WHOLE_READ.write(out, keys, *id),
            Self::Alias(digest) => resp::write_command(out, &[name, keys.alias(digest).as_bytes()]),
            Self::Score(read) => {
                resp::write_command(out, &[name, read.index.as_bytes(), read.member.as_bytes()]);
            }
        }
    }

    /// Parses the reply at the start of `input`.
    pub(crate) fn parse_reply(&self, input: &[u8]) -> ParsedReply<RespReply<Result<ReadValue, StoreError>>> {
        match self {
            Self::TokenRecord(id, Extent::Hot) => resp::read_array::<{ HOT_FIELDS.len() }>(input)
                .map(|values| codec::record(*id, &values).map(ReadValue::TokenRecord)),
            Self::TokenRecord(id, Extent::Whole) => resp::read_array::<ALL_FIELDS>(input)
                .map(|values| codec::record(*id, &values).map(ReadValue::TokenRecord)),
            Self::Alias(_) => resp::read_value(input)
                .map(|stored| stored.map(alias::decode).transpose().map(ReadValue::Alias)),
            Self::Score(_) => {
                resp::read_value(input).map(|score| Ok(ReadValue::ScoreMs(score.and_then(codec::score_ms))))
            }
        }
    }
}
