//! Walks over all tokens, master by master, by `SCAN`.

use std::collections::BTreeSet;
use std::sync::Arc;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Value, cmd, pipe};

use crate::model::token::TokenRecord;
use crate::store::error::StoreError;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::master::Master;
use crate::store::redis::cluster::master_map::MasterMap;
use crate::store::redis::errors::store_error;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::primitives::bytes;
use crate::store::redis::schema::codec::token::record::{HOT_FIELDS, record};
use crate::store::walk::WalkPage;
use crate::token_string::TokenId;

/// The place of a walk.
#[derive(Default)]
pub(crate) struct RedisPlace {
    /// The masters at the start of the walk.
    at_start: Option<Arc<MasterMap>>,
    /// The masters that were walked to the end.
    done: BTreeSet<ServerAddress>,
    present: Option<(ServerAddress, u64)>,
    connection: Option<MultiplexedConnection>,
    /// Whether a token could not be read, because its slot had moved.
    has_missed: bool,
}

impl RedisPlace {
    /// Marks a master's last page as the end of the walk if it is. `map` has the present masters.
    fn end(&self, page: WalkPage, map: &MasterMap) -> WalkPage {
        let is_done = |master: &Arc<Master>| !master.may_have_tokens() || self.done.contains(&master.address);
        let is_last = map.masters.iter().all(is_done);
        let is_same = self.at_start.as_ref().is_some_and(|at_start| map.is_same(at_start));
        WalkPage { is_last, has_seen_all: is_last && is_same && !self.has_missed, ..page }
    }
}

impl RedisStore {
    /// Reads the tokens among the next keys, about so many. `SCAN` names a key that is there during the whole walk at least
    /// once. After an error, the next call goes on at the same place.
    pub(crate) async fn walk_page(&self, place: &mut RedisPlace, keys: u64) -> Result<WalkPage, StoreError> {
        self.topology.gate.check()?;
        let map = self.topology.map().clone();
        place.at_start.get_or_insert_with(|| map.clone());
        if place.present.as_ref().is_none_or(|(address, _)| !has_master(&map, address)) {
            place.connection = None;
            let next = map.masters.iter().filter(|master| master.may_have_tokens());
            let next = next.map(|master| &master.address).find(|address| !place.done.contains(address));
            match next {
                Some(next) => place.present = Some((next.clone(), 0)),
                None if map.masters.is_empty() => {
                    return Err(StoreError::Unavailable(self.topology.why_unknown()));
                }
                // The last page was not reported, or the master under way has left the Cluster.
                None => return Ok(place.end(WalkPage::default(), &map)),
            }
        }
        let page = self.read_page(place, keys).await;
        if page.is_err() {
            place.connection = None;
        }
        page
    }

    async fn read_page(&self, place: &mut RedisPlace, keys: u64) -> Result<WalkPage, StoreError> {
        let Some((address, cursor)) = place.present.clone() else { return Ok(WalkPage::default()) };
        let mut connection = match place.connection.take() {
            Some(connection) => connection,
            None => self.topology.connector.connect(&address).await.map_err(store_error)?,
        };
        let scan = cmd("SCAN").arg(cursor).arg("COUNT").arg(keys).to_owned();
        let (next, names): (u64, Vec<Vec<u8>>) =
            scan.query_async(&mut connection).await.map_err(store_error)?;
        let ids: Vec<_> = names.iter().filter_map(|name| self.keys.token_id(name)).collect();
        let (tokens, has_missed) = self.read_walked(&mut connection, &ids).await?;
        place.has_missed |= has_missed;
        place.connection = Some(connection);
        let page = WalkPage { tokens, keys: names.len() as u64, ..WalkPage::default() };
        if next != 0 {
            place.present = Some((address, next));
            return Ok(page);
        }
        place.done.insert(address);
        (place.present, place.connection) = (None, None);
        self.topology.refresh().await;
        Ok(place.end(page, &self.topology.map()))
    }

    /// Reads token records. Also returns whether one could not be read where its key was found. A corrupt record is left
    /// out: it opens nothing, and `doorward verify` reports it.
    async fn read_walked(
        &self,
        connection: &mut MultiplexedConnection,
        ids: &[TokenId],
    ) -> Result<(Vec<Arc<TokenRecord>>, bool), StoreError> {
        let mut reads = pipe();
        for id in ids {
            reads.cmd("HMGET").arg(self.keys.token(*id)).arg(&HOT_FIELDS);
        }
        if ids.is_empty() {
            return Ok((Vec::new(), false));
        }
        let answers = connection.req_packed_commands(&reads, 0, ids.len()).await.map_err(store_error)?;
        let (mut tokens, mut has_missed) = (Vec::with_capacity(ids.len()), false);
        for (id, answer) in ids.iter().zip(answers) {
            match answer {
                Value::Array(values) => {
                    let values: Vec<_> = values.iter().map(bytes).collect();
                    tokens.extend(record(*id, &values).ok().flatten());
                }
                other => {
                    let error = other.extract_error().err();
                    has_missed |= error.is_none_or(|error| error.code() != Some("WRONGTYPE"));
                }
            }
        }
        Ok((tokens, has_missed))
    }
}

fn has_master(map: &MasterMap, address: &ServerAddress) -> bool {
    map.masters.iter().any(|master| master.address == *address)
}
