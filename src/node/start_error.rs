//! Why a node did not start.

use rand::rngs::SysError;

use crate::files::FileError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file that a setting names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The operating system cannot supply random bytes.
    #[error("no randomness: {0}")]
    Randomness(#[from] SysError),
    /// A setting needs a feature of this crate that the build does not have.
    #[error("{setting}: needs the feature `{feature}` of the crate doorward")]
    MissingFeature {
        /// The setting.
        setting: &'static str,
        /// The feature.
        feature: &'static str,
    },
}

impl StartError {
    /// Returns whether a setting has to change before a start can succeed.
    pub fn is_of_settings(&self) -> bool {
        matches!(self, Self::File(_) | Self::MissingFeature { .. })
    }
}
