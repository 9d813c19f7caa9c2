//! Why a server did not start.

use rand::rngs::SysError;

use crate::files::FileError;
use crate::node::StartError;
use crate::telemetry::TraceExportError;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerStartError {
    /// An address cannot be bound.
    #[error("{setting}: cannot listen on {address}: {error}")]
    Bind {
        /// The setting of the address.
        setting: &'static str,
        /// The address.
        address: String,
        /// The cause.
        error: std::io::Error,
    },
    /// A file that a setting of the listeners or of traces names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The node of the server did not start.
    #[error(transparent)]
    Node(#[from] StartError),
    /// The operating system cannot supply random bytes.
    #[error("no randomness: {0}")]
    Randomness(#[from] SysError),
    /// Traces cannot be exported.
    #[error(transparent)]
    Traces(#[from] TraceExportError),
    /// A thread cannot be started.
    #[error("no threads: {0}")]
    Threads(#[from] std::io::Error),
}

impl ServerStartError {
    /// Returns whether a setting has to change before a start can succeed.
    pub fn is_of_settings(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Node(error) => error.is_of_settings(),
            Self::Bind { .. } | Self::Randomness(_) | Self::Traces(_) | Self::Threads(_) => false,
        }
    }
}
