//! Certificates in PEM, and the authorities that a TLS peer trusts.

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

/// Reads the certificates of a text in PEM, of which there is at least one.
///
/// # Errors
/// The problem, as the rest of a sentence about the file.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err("holds no certificate in PEM".into()),
    }
}

/// Reads certificate authorities in PEM.
///
/// # Errors
/// The problem, as the rest of a sentence about the file.
pub fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("holds an unusable certificate: {error}"))?;
    }
    Ok(roots)
}

/// Returns the authorities that the system trusts. Unusable ones are skipped: the operator of this service cannot change
/// the system's list.
pub fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
