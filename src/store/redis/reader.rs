//! Reads credentials for validation: from the near cache, else from the server in a pipeline.

use std::sync::Arc;

use super::look_ups::LookUps;
use super::near::{Near, SERVER};
use crate::secret::TokenId;
use crate::store::StoreError;
use crate::token::Credential;

/// See the module. Belongs to the runtime it was made on; clones share its connection.
#[derive(Clone)]
pub struct Reader {
    look_ups: Arc<LookUps>,
    near: Arc<Near>,
}

impl Reader {
    pub(super) fn new(look_ups: Arc<LookUps>, near: Arc<Near>) -> Self {
        Self { look_ups, near }
    }

    pub(in crate::store) fn known_credential(&self, id: TokenId) -> Option<Option<Arc<Credential>>> {
        self.near.cache.as_ref()?.get(&id, self.near.clock.boottime_ms())
    }

    pub(in crate::store) async fn credential(
        &self,
        id: TokenId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        let Some(cache) = &self.near.cache else {
            return self.look_ups.read(id).await.map(|(credential, _)| credential);
        };
        let read = async || {
            let (credential, run_id) = self.look_ups.read(id).await?;
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
