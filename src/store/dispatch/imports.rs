//! Imports into the store.

use super::store::Store;
use crate::model::import::{ImportOutcome, NewImport};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;

impl Store {
    /// Imports tokens, each in a step of its own, and returns their outcomes in order. The digests must differ. With
    /// `is_dry`, it changes nothing and returns what would happen to each token alone, full related objects excepted.
    ///
    /// A digest that was imported before is not imported again, whatever has become of its token: a repeated import revives
    /// no session. That is known for as long as the token could have lived.
    ///
    /// # Errors
    /// `Unavailable`: some tokens may be imported, and their strings may not be known yet; calling again is safe.
    /// `Corrupt`.
    pub async fn import(
        &self,
        imports: &[NewImport],
        is_dry: bool,
        call: impl Into<Call<'_>>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        let outcomes = on_store!(match self {
            Self::Memory(store) => store.import(imports, is_dry, &call.into())?,
            Self::Redis(store) =>
                store.acknowledge(call.into(), async |call| store.import(imports, is_dry, call).await).await?,
        });
        let imported = outcomes.iter().filter(|outcome| **outcome == ImportOutcome::Imported).count();
        self.changes().imported.add(if is_dry { 0 } else { imported });
        Ok(outcomes)
    }
}
