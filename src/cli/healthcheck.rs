//! `doorward healthcheck`: asks the server with the same settings on the same machine whether it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Request, StatusCode};

use super::output::{FAILURE, fail};
use super::runtime::run_to_end;
use crate::config::Config;
use crate::http_client::{ClientError, HttpClient, TlsOptions, Trust};
use crate::values::{Endpoint, ListenAddr, Url};

/// The maximum time to connect and to answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The answer has no body.
const MAX_BODY_BYTES: usize = 4096;

/// Runs the command.
pub(crate) fn healthcheck(config: &Config) -> ExitCode {
    run_to_end(async {
        let is_tls = config.tls_cert.is_some();
        let url = url(&config.listen, is_tls);
        match request_readiness(&config.listen, is_tls).await {
            Ok(StatusCode::OK) => ExitCode::SUCCESS,
            Ok(StatusCode::SERVICE_UNAVAILABLE) => fail(
                &format!("not ready: {url}: `doorward doctor` says why, unless the node is stopping"),
                FAILURE,
            ),
            Ok(status) => fail(&format!("not a validation plane: {url}/readyz answered {status}"), FAILURE),
            Err(error) => fail(&format!("unreachable: {url}: {error}"), FAILURE),
        }
    })
}

/// Requests `/readyz` of the server that listens on this address.
pub(crate) async fn request_readiness(address: &ListenAddr, is_tls: bool) -> Result<StatusCode, ClientError> {
    // The certificate is for a public name, which the health check does not know, and the request has no secret.
    let tls = TlsOptions { trust: Trust::Any, identity: None };
    let client = HttpClient::new(url(address, is_tls), &tls, TIMEOUT, MAX_BODY_BYTES);
    let request = Request::get("/readyz").body(Bytes::new());
    let (Ok(client), Ok(request)) = (client, request) else { return Err(ClientError::Request) };
    Ok(client.send(request).await?.status())
}

fn url(address: &ListenAddr, is_tls: bool) -> Url {
    let endpoint = match address {
        ListenAddr::Tcp(address) => {
            let ip: IpAddr = match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            };
            Endpoint::Tcp(ip.to_string(), address.port())
        }
        ListenAddr::Unix(path) => Endpoint::Unix(path.clone()),
    };
    Url { endpoint, is_tls, base_path: String::new() }
}
