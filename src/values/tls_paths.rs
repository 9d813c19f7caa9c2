//! The TLS files of a listener.

use std::path::PathBuf;

/// The TLS files of a listener, all in PEM. Certificate and key are set together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPaths {
    /// The certificate chain, the listener's own certificate first.
    pub cert: Option<PathBuf>,
    /// The private key of the certificate.
    pub key: Option<PathBuf>,
    /// If set, only clients with a certificate from these authorities are accepted.
    pub client_ca: Option<PathBuf>,
}
