//! The connection to the master whose keys are listed.

use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError, Value};

use crate::store::error::StoreError;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::connector::Connector;
use crate::store::redis::errors::store_error;
use crate::store::redis::schema::script::Script;

/// The least time that a server gets for an answer: a run is in no hurry.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to one master, whichever slots it has.
pub(crate) struct MasterLink(MultiplexedConnection);

impl MasterLink {
    pub(crate) async fn open(connector: &Connector, address: &ServerAddress) -> Result<Self, StoreError> {
        let open = async || -> Result<MultiplexedConnection, RedisError> {
            let patience = connector.timeout.max(PATIENCE);
            let config = connector.config().set_response_timeout(Some(patience));
            let client = Client::open(connector.info(address)?)?;
            client.get_multiplexed_async_connection_with_config(&config).await
        };
        open().await.map(Self).map_err(store_error)
    }

    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        command.query_async(&mut self.0.clone()).await.map_err(store_error)
    }

    /// Returns the answers to commands; `None` for a key of another type than the command is for.
    pub(crate) async fn read(&self, commands: &Pipeline) -> Result<Vec<Option<Value>>, StoreError> {
        let count = commands.cmd_iter().count();
        if count == 0 {
            return Ok(Vec::new());
        }
        let answers = self.0.clone().req_packed_commands(commands, 0, count).await;
        answers.map_err(store_error)?.into_iter().map(unless_foreign).collect()
    }

    pub(crate) async fn run(&self, script: &Script, key: &str, args: &[&[u8]]) -> Result<Value, StoreError> {
        script.run(&mut self.0.clone(), &[key], args).await.map_err(store_error)
    }
}

/// Returns an answer of a pipeline; `None` if the key has another type than the command is for.
fn unless_foreign(answer: Value) -> Result<Option<Value>, StoreError> {
    match answer.extract_error() {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
        Err(error) => Err(store_error(error)),
    }
}

/// Returns a pipeline of one command for each key.
pub(crate) fn for_each_key(command: &str, keys: impl IntoIterator<Item = String>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for key in keys {
        pipeline.cmd(command).arg(key);
    }
    pipeline
}
