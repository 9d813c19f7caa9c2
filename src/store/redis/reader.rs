//! Reads credentials for validation: from the near cache, else from the server in a batch.

use std::sync::Arc;

use super::batch::Batch;
use super::near::{Near, SERVER};
use crate::secret::TokenId;
use crate::store::StoreError;
use crate::token::Credential;

/// See the module. Belongs to the runtime it was made on; clones share its connection.
#[derive(Clone)]
pub struct Reader {
    batch: Arc<Batch>,
    near: Arc<Near>,
}

impl Reader {
    pub(super) fn new(batch: Arc<Batch>, near: Arc<Near>) -> Self {
        Self { batch, near }
    }

    pub(in crate::store) fn known_credential(&self, id: TokenId) -> Option<Option<Arc<Credential>>> {
        self.near.cache.as_ref()?.get(&id, self.near.clock.boottime_ms())
    }

    pub(in crate::store) async fn credential(
        &self,
        id: TokenId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        let Some(cache) = &self.near.cache else {
            return self.batch.read(id).await.map(|(credential, _)| credential);
        };
        let read = async || {
            let (credential, run_id) = self.batch.read(id).await?;
            Ok((credential, self.near.is_tracked(&run_id).then_some(SERVER)))
        };
        match cache.get_or_read(&id, SERVER, &self.near.clock, read).await {
            Err(error @ StoreError::Unavailable(_)) => {
                cache.get_stale(&id, self.near.clock.boottime_ms()).ok_or(error)
            }
            outcome => outcome,
        }
    }
}
