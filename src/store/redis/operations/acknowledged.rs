//! Changes are acknowledged once they are as durable as demanded, and only if this node still serves from the data that
//! they changed.

use redis::FromRedisValue;

use crate::store::call::{Acknowledgement, Call};
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::cluster::routed_connection::RoutedConnection;
use crate::store::redis::redis_store::{DURABLE_WAIT, RedisStore};
use crate::store::redis::schema::script::Script;

impl RedisStore {
    /// Runs an operation that changes something, and returns its outcome once it may be acknowledged.
    ///
    /// The operation remembers its changes (`replay`) before it returns. If its data is still served from after that, every
    /// merge into other data begins later, and so finds them.
    ///
    /// # Errors
    /// Those of the operation; `Unavailable` if another server has taken over meanwhile, `NotDurable`.
    pub(crate) async fn acknowledge<T>(
        &self,
        call: Call<'_>,
        operation: impl AsyncFnOnce(&Call<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let acknowledgement = Acknowledgement::default();
        let call = Call { acknowledgement: Some(&acknowledgement), ..call };
        let done = operation(&call).await?;
        acknowledgement.decide().map(|()| done)
    }

    /// Runs a script of a call, and notes what its acknowledgement depends on.
    pub(crate) async fn send_script<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        priority: Priority,
        (script, key): (&Script, &str),
        args: &[&[u8]],
    ) -> Result<T, StoreError> {
        let Some(acknowledgement) = call.acknowledgement.filter(|_| !script.only_reads()) else {
            return self.with_shared_connection(priority, async |c| script.run(c, &[key], args).await).await;
        };
        let run = async |c: &mut RoutedConnection<'_>| {
            let answer = script.run(c, &[key], args).await?;
            c.acceptance().into_iter().for_each(|is_served| acknowledgement.changed(is_served));
            Ok(answer)
        };
        if !self.durable_writes.is_on() || call.is_background {
            return self.with_shared_connection(priority, run).await;
        }
        // `WAIT` blocks its connection, so no other script may share it.
        let run_and_wait = async |c: &mut RoutedConnection<'_>| {
            let answer = run(c).await?;
            // After an error the change is done all the same.
            if !c.wait_until_durable(self.durable_writes, DURABLE_WAIT).await.unwrap_or(false) {
                acknowledgement.fell_short();
            }
            Ok(answer)
        };
        self.with_durable_connection(priority, run_and_wait).await
    }
}
