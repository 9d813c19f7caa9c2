//! Imports of the sessions of another system.

use std::collections::HashMap;

use super::core::Service;
use super::error::ServiceError;
use super::import_record::ImportRecord;
use crate::foreign::ForeignDigest;
use crate::model::event::Actor;
use crate::model::import::{ImportOutcome, NewImport};
use crate::store::{Rejection, StoreError};
use crate::token_string::TokenId;

/// The outcome of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportResult {
    /// Its token was imported.
    Imported(TokenId),
    /// Its token was imported before, and may be revoked or gone since. Nothing was changed.
    Exists(TokenId),
    /// It breaks a rule. Nothing was changed.
    Rejected {
        /// The field.
        field: &'static str,
        /// The mistake, without the value.
        detail: String,
    },
}

/// A valid record: its place among those to import.
struct ValidRecord {
    place: usize,
    id: TokenId,
}

impl Service {
    /// Imports sessions of another system, and returns what became of each, in order. Their holders go on presenting the
    /// strings of that system. With `is_dry`, nothing is changed, and the result says what would happen to each record
    /// alone.
    ///
    /// # Errors
    /// `Unavailable`: a part may be imported; calling again imports the rest. `Corrupt`, `Unusable`.
    pub async fn import(
        &self,
        records: Vec<ImportRecord>,
        is_dry: bool,
        actor: Actor<'_>,
    ) -> Result<Vec<ImportResult>, StoreError> {
        let call = self.call(actor);
        let forms = self.foreign_forms().clone();
        let mut imports: Vec<NewImport> = Vec::with_capacity(records.len());
        let mut first_with: HashMap<ForeignDigest, usize> = HashMap::new();
        let judged: Vec<Result<ValidRecord, ImportResult>> = records
            .into_iter()
            .map(|record| {
                let import = self.import_of(record, forms.configured(), call.now_ms).map_err(rejected)?;
                let id = import.token.record.id;
                let place = *first_with.entry(import.digest).or_insert(imports.len());
                if place == imports.len() {
                    imports.push(import);
                }
                Ok(ValidRecord { place, id })
            })
            .collect();
        let outcomes = self.store.import(&imports, is_dry, call).await?;
        let mut is_told = vec![false; imports.len()];
        let mut result = |ValidRecord { place, id }| {
            let is_first = !std::mem::replace(&mut is_told[place], true);
            if imports[place].token.record.id != id {
                return of_outcome(ImportOutcome::OtherUser, id);
            }
            match outcomes[place] {
                // The token was imported by an earlier record.
                ImportOutcome::Imported if !is_first => ImportResult::Exists(id),
                outcome => of_outcome(outcome, id),
            }
        };
        Ok(judged.into_iter().map(|judged| judged.map_or_else(|rejected| rejected, &mut result)).collect())
    }
}

fn of_outcome(outcome: ImportOutcome, id: TokenId) -> ImportResult {
    let rejected = |field, detail: String| ImportResult::Rejected { field, detail };
    match outcome {
        ImportOutcome::Imported => ImportResult::Imported(id),
        ImportOutcome::Exists => ImportResult::Exists(id),
        ImportOutcome::OtherUser => {
            rejected("user", "is not the user that this token was imported for".into())
        }
        ImportOutcome::UserLocked => rejected("user", Rejection::UserLocked.to_string()),
        ImportOutcome::TooManyTokens => rejected("user", Rejection::TooManyTokens.to_string()),
        ImportOutcome::ObjectFull => rejected("related_objects", Rejection::ObjectFull.to_string()),
    }
}

fn rejected(error: ServiceError) -> ImportResult {
    match error {
        ServiceError::Invalid { field, detail } => ImportResult::Rejected { field, detail },
        // Not reached: a record is judged without the store.
        other => ImportResult::Rejected { field: "", detail: other.to_string() },
    }
}
