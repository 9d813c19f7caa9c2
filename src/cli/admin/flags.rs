//! The flags of every command that calls the admin plane.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::client::AdminClient;
use super::environment::Environment;
use super::key::AdminKey;
use crate::config::parse::duration::{MINUTE_MS, duration_ms};
use crate::config::{LoadError, Mistake};
use crate::files::read_bounded;
use crate::http_client::{ClientIdentity, HttpClient, TlsOptions, Trust};
use crate::values::Url;

const URL_VARIABLE: &str = "DOORWARD_ADMIN_URL";
const DEFAULT_URL: &str = "http://127.0.0.1:8081";
/// The largest answer. A page of a listing has at most 1,000 entries of some kilobytes each.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Where the admin plane is, and how to call it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admin plane")]
pub struct AdminFlags {
    /// Admin plane: http://HOST:PORT, https://HOST:PORT or unix:/path [env: DOORWARD_ADMIN_URL] [default:
    /// http://127.0.0.1:8081]
    #[arg(long, global = true, value_name = "URL", value_parser = Url::parse)]
    admin_url: Option<Url>,
    /// File with the API key [env: DOORWARD_ADMIN_KEY_FILE, or DOORWARD_ADMIN_KEY with the key]
    #[arg(long, global = true, value_name = "PATH")]
    admin_key_file: Option<PathBuf>,
    /// PEM authorities of the admin plane's certificate; without it, the system's [env: DOORWARD_ADMIN_CA_FILE]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    admin_ca_file: Option<PathBuf>,
    /// PEM certificate chain to show to the admin plane (admin-client-ca) [env: DOORWARD_ADMIN_CLIENT_CERT]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    admin_client_cert: Option<PathBuf>,
    /// PEM private key of admin-client-cert [env: DOORWARD_ADMIN_CLIENT_KEY]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    admin_client_key: Option<PathBuf>,
    /// Maximum time of each call [default: 10s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = timeout, hide_short_help = true)]
    timeout: Option<Duration>,
    /// Print JSON instead of tables and text
    #[arg(long, global = true)]
    pub(super) json: bool,
}

fn timeout(text: &str) -> Result<Duration, String> {
    duration_ms(1..=10 * MINUTE_MS)(text).map(Duration::from_millis)
}

impl AdminFlags {
    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// All mistakes at once.
    pub(super) fn client(&self, env: &Environment) -> Result<AdminClient, LoadError> {
        let mut mistakes = Vec::new();
        let url = self.url(env).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        });
        let key = AdminKey::load(self.admin_key_file.as_deref(), env);
        let key = key.map_err(|mistake| mistakes.push(mistake)).ok();
        let tls = self.tls(env, &mut mistakes);
        let timeout = self.timeout.unwrap_or(Duration::from_secs(10));
        let http = url.map(|url| HttpClient::new(url, &tls, timeout, MAX_ANSWER_BYTES));
        match (http, key) {
            (Some(Ok(http)), Some(key)) if mistakes.is_empty() => Ok(AdminClient::new(http, key)),
            (Some(Err(problem)), _) => {
                mistakes.push(Mistake::new("admin-url", "TLS", problem));
                Err(LoadError { mistakes })
            }
            _ => Err(LoadError { mistakes }),
        }
    }

    fn url(&self, env: &Environment) -> Result<Option<Url>, Mistake> {
        if let Some(url) = &self.admin_url {
            return Ok(Some(url.clone()));
        }
        let text = env.text(URL_VARIABLE)?.unwrap_or(DEFAULT_URL);
        Url::parse(text)
            .map(Some)
            .map_err(|problem| Mistake::new("admin-url", URL_VARIABLE, format!("the value {problem}")))
    }

    fn tls(&self, env: &Environment, mistakes: &mut Vec<Mistake>) -> TlsOptions {
        let mut read = |flag: &Option<PathBuf>, name: &str, variable: &str| {
            file(flag.as_deref(), name, variable, env).unwrap_or_else(|mistake| {
                mistakes.push(mistake);
                None
            })
        };
        let authorities = read(&self.admin_ca_file, "admin-ca-file", "DOORWARD_ADMIN_CA_FILE");
        let cert = read(&self.admin_client_cert, "admin-client-cert", "DOORWARD_ADMIN_CLIENT_CERT");
        let key = read(&self.admin_client_key, "admin-client-key", "DOORWARD_ADMIN_CLIENT_KEY");
        if cert.is_some() != key.is_some() && mistakes.is_empty() {
            let problem = "is needed together with admin-client-key";
            mistakes.push(Mistake::new("admin-client-cert", "--admin-client-cert", problem));
        }
        let identity = cert.zip(key).map(|(cert, key)| ClientIdentity { cert, key });
        TlsOptions { trust: authorities.map_or(Trust::System, Trust::Authorities), identity }
    }
}

/// Reads the file that a flag or a variable names.
fn file(
    flag: Option<&Path>,
    name: &str,
    variable: &str,
    env: &Environment,
) -> Result<Option<Vec<u8>>, Mistake> {
    let (path, origin) = match flag {
        Some(path) => (path, format!("--{name}")),
        None => match env.text(variable)? {
            Some(path) => (Path::new(path), variable.to_owned()),
            None => return Ok(None),
        },
    };
    let problem = |error| Mistake::new(name, origin, format!("cannot read the file {path:?}: {error}"));
    read_bounded(path).map(Some).map_err(problem)
}
