//! The server that the connections of a pool lead to, and the data at their other end.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult};

use super::address::ServerAddress;
use super::data_identity::DataIdentity;
use super::master::Master;
use super::topology::Topology;

/// The server of a pool.
pub(crate) struct PoolServer {
    topology: Arc<Topology>,
    master: Arc<Master>,
    /// The data at the other end of the connections; `None` before there was one.
    data: ArcSwapOption<DataIdentity>,
}

impl PoolServer {
    /// The server at this address: one of the masters, unless a redirect leads to it.
    pub(crate) fn new(topology: Arc<Topology>, address: &ServerAddress) -> Self {
        let master = topology.server_at(address);
        Self { topology, master, data: ArcSwapOption::empty() }
    }

    /// Its address.
    pub(crate) fn address(&self) -> &ServerAddress {
        &self.master.address
    }

    /// Waits until this node has accepted the data at the other end of a new connection.
    pub(crate) async fn accept(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let data = self.master.data.ask(connection).await?;
        let accepted = self.topology.await_acceptance(&self.master, &data).await;
        accepted.map_err(|reason| RedisError::from((ErrorKind::Io, "data not accepted", reason)))?;
        self.data.store(Some(data));
        Ok(())
    }

    /// Returns the data at the other end of the connections; `None` before there was one.
    pub(crate) fn data(&self) -> Option<Arc<DataIdentity>> {
        self.data.load_full()
    }

    /// Returns whether the server has other data than its connections were opened to.
    pub(crate) fn has_other_data(&self) -> bool {
        self.data.load().as_ref().is_some_and(|data| !data.is_accepted())
    }
}
