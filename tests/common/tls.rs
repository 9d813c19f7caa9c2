//! Certificates made by openssl, and TLS clients.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::http2::{Http2, Stream};
use super::process::DEADLINE_MS;

/// A certificate authority in its own directory.
pub struct Authority {
    directory: TempDir,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    pub cert: PathBuf,
    pub key: PathBuf,
}

pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Identity {
    /// Returns an acceptor for a server within the test.
    pub fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_file(&self.key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates(&self.cert), key)
            .unwrap();
        Arc::new(config).into()
    }
}

impl Authority {
    pub fn new() -> Self {
        let authority = Self { directory: tempfile::tempdir().unwrap() };
        authority.openssl(
            "req -x509 -days 2 -subj /CN=authority -nodes -keyout ca.key -out ca.pem -newkey ec",
            KEY,
        );
        authority
    }

    /// Returns the path of the authority's own certificate.
    pub fn cert(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Issues a certificate for this machine that contains `name`.
    pub fn issue(&self, name: &str) -> Identity {
        self.issue_for_days(name, 2)
    }

    /// As [`Authority::issue`], valid for this number of days; a negative number makes an expired certificate.
    pub fn issue_for_days(&self, name: &str, days: i32) -> Identity {
        self.openssl(
            &format!("req -subj /CN={name} -nodes -keyout {name}.key -out {name}.csr -newkey ec"),
            KEY,
        );
        fs::write(self.path("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1").unwrap();
        let sign = format!("x509 -req -in {name}.csr -out {name}.pem -days {days} -extfile names");
        self.openssl(&sign, "-CA ca.pem -CAkey ca.key -CAcreateserial");
        Identity { cert: self.path(&format!("{name}.pem")), key: self.path(&format!("{name}.key")) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn openssl(&self, arguments: &str, more: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' ').chain(more.split(' ')))
            .current_dir(self.directory.path())
            .output()
            .unwrap_or_else(|error| panic!("cannot start openssl ({error}): run scripts/setup"));
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn client_config(&self, identity: Option<&Identity>, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&self.cert()));
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(Identity { cert, key }) => {
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder.with_client_auth_cert(certificates(cert), key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// Connects as a client that trusts this authority; returns the error of a failed handshake.
    pub fn connect(
        &self,
        addr: &str,
        identity: Option<&Identity>,
        protocols: &[&str],
    ) -> io::Result<TlsStream> {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(self.client_config(identity, protocols), name).unwrap();
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(DEADLINE_MS)))?;
        let mut stream = StreamOwned::new(connection, stream);
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(stream)
    }

    /// As [`Authority::connect`], for HTTP/2.
    pub fn connect_http2(&self, addr: &str) -> io::Result<Http2> {
        let config = self.client_config(None, &["h2"]);
        Http2::try_over(async {
            let stream = tokio::net::TcpStream::connect(addr).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

const KEY: &str = "-pkeyopt ec_paramgen_curve:prime256v1";

impl Identity {
    /// Returns the certificate in DER.
    pub fn der(&self) -> CertificateDer<'static> {
        certificates(&self.cert).remove(0)
    }

    pub fn cert(&self) -> &str {
        self.cert.to_str().unwrap()
    }

    pub fn key(&self) -> &str {
        self.key.to_str().unwrap()
    }

    /// Replaces these files by another certificate's.
    pub fn replace_with(&self, other: &Identity) {
        fs::copy(&other.key, &self.key).unwrap();
        fs::copy(&other.cert, &self.cert).unwrap();
    }
}

fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(|certificate| certificate.unwrap()).collect()
}
