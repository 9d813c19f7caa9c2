//! The outcomes of an import's records.

use serde::Serialize;

use crate::server::admin::problem::FieldError;
use crate::service::{DeviceImportResult, ImportResult};
use crate::token_string::TokenId;

/// A record of the request, or what is wrong with it.
pub type ReadRecord<T> = Result<T, Vec<FieldError>>;

/// The outcome of a record.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportedAs {
    /// It was imported.
    Imported,
    /// It was imported before.
    Exists,
    /// It breaks a rule.
    Rejected,
}

/// The outcome of a token's record.
#[derive(Serialize)]
pub struct ResultJson {
    /// The outcome.
    pub status: ImportedAs,
    id: Option<String>,
    errors: Vec<FieldError>,
}

impl ResultJson {
    /// A rejected record.
    pub fn rejected(errors: Vec<FieldError>) -> Self {
        Self { status: ImportedAs::Rejected, id: None, errors }
    }

    /// The result of the record at this place.
    pub fn of(at: usize, result: ImportResult) -> Self {
        let done = |status, id: TokenId| Self { status, id: Some(id.to_string()), errors: Vec::new() };
        match result {
            ImportResult::Imported(id) => done(ImportedAs::Imported, id),
            ImportResult::Exists(id) => done(ImportedAs::Exists, id),
            ImportResult::Rejected { field, detail } => {
                Self::rejected(vec![FieldError::new(&format!("tokens/{at}/{field}"), detail)])
            }
        }
    }
}

/// The outcome of a device key's record.
#[derive(Serialize)]
pub struct DeviceResultJson {
    /// The outcome.
    pub status: ImportedAs,
    uuid: Option<String>,
    errors: Vec<FieldError>,
}

impl DeviceResultJson {
    /// A rejected record.
    pub fn rejected(errors: Vec<FieldError>) -> Self {
        Self { status: ImportedAs::Rejected, uuid: None, errors }
    }

    /// The result of the record at this place.
    pub fn of(at: usize, result: DeviceImportResult) -> Self {
        let done = |status, uuid| Self { status, uuid: Some(uuid), errors: Vec::new() };
        match result {
            DeviceImportResult::Imported { uuid } => done(ImportedAs::Imported, uuid),
            DeviceImportResult::Exists { uuid } => done(ImportedAs::Exists, uuid),
            DeviceImportResult::Rejected { field, detail } => {
                Self::rejected(vec![FieldError::new(&format!("devices/{at}/{field}"), detail)])
            }
        }
    }
}

/// Divides the records into those to import, and for each place the errors of the others.
pub fn split<T>(records: Vec<ReadRecord<T>>) -> (Vec<T>, Vec<Option<Vec<FieldError>>>) {
    let mut valid = Vec::with_capacity(records.len());
    let errors = records.into_iter().map(|record| record.map(|record| valid.push(record)).err());
    let errors = errors.collect();
    (valid, errors)
}

/// Puts the results of the valid records to their places.
pub fn merged<R, J>(
    results: Vec<R>,
    invalid: Vec<Option<Vec<FieldError>>>,
    json: impl Fn(usize, R) -> J,
    rejected: impl Fn(Vec<FieldError>) -> J,
) -> Vec<J> {
    let mut results = results.into_iter();
    let at_place = |(at, errors): (usize, Option<Vec<FieldError>>)| match errors {
        Some(errors) => Some(rejected(errors)),
        None => results.next().map(|result| json(at, result)),
    };
    invalid.into_iter().enumerate().filter_map(at_place).collect()
}
