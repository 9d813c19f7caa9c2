//! The files of a listener's TLS.

use std::path::PathBuf;

/// The files of a plane's TLS, all in PEM. The certificate and the key are both there or neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPaths {
    /// The certificate, and those up to the authority.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Only clients with a certificate of these authorities come in; all when there is none.
    pub client_ca: Option<PathBuf>,
}
