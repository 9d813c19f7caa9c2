//! One Lua script, called by its hash.

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, cmd};

/// The first line of a script that may run on a server that takes no writes.
pub(crate) const NO_WRITES: &str = "#!lua flags=no-writes\n";

/// A script: its text, and the hash that servers know it by.
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    pub(crate) fn new(text: String) -> Self {
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    /// Whether it changes nothing, so that it may be run twice.
    pub(crate) fn only_reads(&self) -> bool {
        self.text.starts_with(NO_WRITES)
    }

    /// Returns the command that calls the script by its hash, for a pipeline. The server may answer that it does not know it.
    pub(crate) fn command(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        cmd("EVALSHA").arg(&self.hash).arg(keys.len()).arg(keys).arg(args).to_owned()
    }

    /// Calls the script by its hash.
    ///
    /// If the server does not know the hash, it is sent the text, which runs the script and keeps it in one step:
    /// `SCRIPT FLUSH` cannot come in between. A script that only reads is called again if the connection was closed.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &[&str],
        args: &[&[u8]],
    ) -> RedisResult<T> {
        let call = |by: &str, name: &str| cmd(by).arg(name).arg(keys.len()).arg(keys).arg(args).to_owned();
        let mut answer = call("EVALSHA", &self.hash).query_async(connection).await;
        // If the other side closed the connection, `connection` makes another.
        if self.only_reads() && answer.as_ref().is_err_and(RedisError::is_connection_dropped) {
            answer = call("EVALSHA", &self.hash).query_async(connection).await;
        }
        match answer {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                call("EVAL", &self.text).query_async(connection).await
            }
            outcome => outcome,
        }
    }
}
