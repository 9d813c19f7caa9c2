//! The subject: a real server process whose tokens are issued over its admin plane.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::client::Connection;
use crate::generator::{login, write_get};
use crate::process::Process;

const ADMIN_KEY: &str = "load-harness-admin-key-0123456789abcdef";
/// The connections over which tokens are issued and validated, and the pipelined requests on each.
const CONNECTIONS: usize = 16;
const TOGETHER: usize = 8;
/// The latest time after its start at which a node hears of changes, and so caches what it reads.
pub const UNTIL_TRACKING: Duration = Duration::from_millis(500);

/// The needed field of the answer to a login.
#[derive(serde::Deserialize)]
struct Issued {
    token: String,
}

/// A running Doorward server.
pub struct Doorward {
    /// Its process.
    pub process: Process,
    /// The address of its validation plane.
    pub address: SocketAddr,
    /// The address of its admin plane.
    pub admin_address: SocketAddr,
}

impl Doorward {
    /// Starts the server at `binary` on free ports with these settings (environment variables) and no others, so that
    /// the caller's environment does not affect the measurement.
    pub fn start(binary: &Path, settings: &[(&str, String)]) -> Result<Self> {
        let mut command = Command::new(binary);
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        command.env("DOORWARD_LISTEN", "127.0.0.1:0").env("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0");
        command.env("DOORWARD_ADMIN_KEY", ADMIN_KEY).envs(settings.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(&mut command)?;
        let ready = process.wait_for_line(|line| line.starts_with("ready "))?;
        let address = |name: &str| -> Result<SocketAddr> {
            let value = ready.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            Ok(value.ok_or_else(|| format!("no {name} in `{ready}`"))?.parse()?)
        };
        Ok(Self { address: address("listen")?, admin_address: address("admin-listen")?, process })
    }

    /// Revokes a token, given its string.
    pub async fn end_token(&self, admin: &mut Connection, token: &str) -> Result<()> {
        // A token string starts with its prefix and its id.
        let id = token.get(3..19).ok_or("no token string")?;
        let request = format!(
            "DELETE /v1/tokens/{id} HTTP/1.1\r\nHost: doorward.test\r\nAuthorization: Bearer {ADMIN_KEY}\r\n\r\n"
        );
        match admin.exchange(request.as_bytes()).await? {
            204 => Ok(()),
            status => Err(format!("DELETE of a token answered {status}").into()),
        }
    }

    /// The admin plane's API key.
    pub fn admin_key(&self) -> &'static str {
        ADMIN_KEY
    }

    /// Issues `count` tokens, each for its own user.
    pub fn issue_tokens(&self, count: usize) -> Result<Vec<String>> {
        let request = |n: usize| login(n, ADMIN_KEY);
        let over = (CONNECTIONS, TOGETHER);
        self.issue_with(over, count, request)
    }

    /// Issues `count` tokens, each for its own user, one at a time on each of so many connections.
    pub fn issue_over(&self, connections: usize, count: usize) -> Result<Vec<String>> {
        self.issue_with((connections, 1), count, |n| login(n, ADMIN_KEY))
    }

    fn issue_with(
        &self,
        over: (usize, usize),
        count: usize,
        request: impl Fn(usize) -> Vec<u8>,
    ) -> Result<Vec<String>> {
        let tokens = RefCell::new(Vec::with_capacity(count));
        exchange_all(self.admin_address, over, count, request, |status, body| {
            if status != 201 {
                return Err(format!("POST /v1/tokens answered {status}: {}", body.escape_ascii()).into());
            }
            let issued: Issued = serde_json::from_slice(body)?;
            tokens.borrow_mut().push(issued.token);
            Ok(())
        })?;
        Ok(tokens.into_inner())
    }

    /// Validates each token once: checks that all are valid and fills the cache, if there is one.
    pub fn validate_each(&self, tokens: &[String]) -> Result<()> {
        let request = |n: usize| {
            let mut request = Vec::new();
            write_get("/auth", &tokens[n], &mut request);
            request
        };
        exchange_all(self.address, (CONNECTIONS, TOGETHER), tokens.len(), request, |status, _| match status {
            200 => Ok(()),
            _ => Err(format!("GET /auth answered {status} for a token just issued").into()),
        })
    }

    /// Revokes these tokens, one at a time on each of so many connections.
    pub fn revoke_over(&self, connections: usize, tokens: &[String]) -> Result<()> {
        self.change_over(connections, tokens, ("DELETE", "", 204))
    }

    /// Rotates these tokens, one at a time on each of so many connections.
    pub fn rotate_over(&self, connections: usize, tokens: &[String]) -> Result<()> {
        self.change_over(connections, tokens, ("POST", "/rotate", 200))
    }

    fn change_over(
        &self,
        connections: usize,
        tokens: &[String],
        (method, path, expected): (&str, &str, u16),
    ) -> Result<()> {
        let request = |n: usize| {
            // A token string starts with its prefix and its id.
            let id = &tokens[n][3..19];
            format!(
                "{method} /v1/tokens/{id}{path} HTTP/1.1\r\nHost: doorward.test\r\nAuthorization: Bearer {ADMIN_KEY}\r\n\
                 Content-Length: 0\r\n\r\n"
            )
            .into_bytes()
        };
        exchange_all(self.admin_address, (connections, 1), tokens.len(), request, |status, _| {
            if status == expected {
                return Ok(());
            }
            Err(format!("{method} of a token answered {status}").into())
        })
    }
}

/// Sends `count` pipelined requests over a few connections and passes each answer's status and body to `take`.
fn exchange_all(
    address: SocketAddr,
    (connections, together): (usize, usize),
    count: usize,
    request: impl Fn(usize) -> Vec<u8>,
    take: impl Fn(u16, &[u8]) -> Result<()>,
) -> Result<()> {
    let (request, take) = (&request, &take);
    crate::current_thread_runtime()?.block_on(async move {
        let walks = (0..connections).map(|connection| async move {
            let first = connection * together;
            let mut connection = Connection::open(address).await?;
            for from in (first..count).step_by(connections * together) {
                let batch = from..count.min(from + together);
                connection.send(&batch.clone().flat_map(request).collect::<Vec<u8>>()).await?;
                for _ in batch {
                    let status = connection.receive().await?.ok_or("the server closed a connection")?;
                    take(status, connection.body())?;
                }
            }
            Result::Ok(())
        });
        futures_util::future::try_join_all(walks).await.map(drop)
    })
}
