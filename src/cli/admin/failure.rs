//! Why a command failed: one line for people, one object for machines.

use std::fmt;
use std::io;
use std::process::ExitCode;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::cli::output::{FAILURE, fail};
use crate::config::{LoadError, Mistake};
use crate::http_client::ClientError;
use crate::printable::printable;
use crate::values::Url;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// One line. Empty if there is nothing to say.
    text: String,
    /// The problem document, or one in its form.
    problem: Value,
    /// Whether the same call may succeed later: the node was away or busy.
    is_passing: bool,
}

impl Failure {
    fn new(title: &str, text: String) -> Self {
        let problem = json!({"title": title, "detail": text});
        Self { code: FAILURE, text, problem, is_passing: false }
    }

    /// A failure on this machine.
    pub fn local(text: String) -> Self {
        Self::new("failed", text)
    }

    /// A command line whose mistake only the command itself can find.
    pub fn usage(name: &str, problem: &str) -> Self {
        let text = Mistake::new(name, "command line", problem).to_string();
        Self { code: LoadError::EXIT_CODE, ..Self::new("wrong usage", text) }
    }

    /// An output that cannot be written. If its reader has gone, it has read enough, and nothing failed.
    pub fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { code: 0, ..Self::new("", String::new()) },
            _ => Self::local(format!("output not written: {error}")),
        }
    }

    /// A problem document (RFC 9457) of the node.
    pub fn refused(status: StatusCode, problem: Value, url: &Url, key_source: &str) -> Self {
        let text = |name: &str| problem[name].as_str().unwrap_or_default();
        let title = if text("title").is_empty() {
            status.canonical_reason().unwrap_or_default()
        } else {
            text("title")
        };
        let mut line = format!("refused: {} {title}", status.as_u16());
        if !text("detail").is_empty() {
            line += &format!(": {}", text("detail"));
        }
        for error in problem["errors"].as_array().into_iter().flatten() {
            let part = |name: &str| error[name].as_str().unwrap_or_default();
            line += &format!("; {}: {}", part("pointer"), part("detail"));
        }
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            line += &format!("; the key is from {key_source}");
        }
        if status == StatusCode::NOT_FOUND && !url.base_path.is_empty() {
            line +=
                &format!("; the call was sent below {url}: is the path of this URL right? See --admin-url");
        }
        if !text("request_id").is_empty() {
            line += &format!(" (request {})", text("request_id"));
        }
        let is_passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Self { code: FAILURE, text: printable(line), problem, is_passing }
    }

    /// A node without an answer.
    pub fn unreachable(url: &Url, error: &ClientError) -> Self {
        let hint = match error {
            ClientError::Connect(_) => {
                "is the node running, and is this its admin-listen address? See --admin-url"
            }
            ClientError::Tls(_) => {
                "does the admin plane use TLS, with a certificate for this name? See --admin-ca-file"
            }
            ClientError::Timeout(_) => "is the node overloaded or stopped? See --timeout",
            ClientError::Http(_) if !url.is_tls => "does the admin plane use TLS? Then the URL is https://",
            ClientError::Http(_) => {
                "does the admin plane demand a client certificate? See --admin-client-cert"
            }
            ClientError::Body(_) | ClientError::Request => "see --admin-url",
        };
        let text = printable(format!("unreachable: {url}: {error}; {hint}"));
        Self { is_passing: true, ..Self::new("unreachable", text) }
    }

    /// An answer of another program, such as a proxy's page.
    pub fn not_doorward(url: &Url, status: StatusCode, content_type: Option<&str>) -> Self {
        let content = content_type.map_or("no content type".to_owned(), printable);
        let text = format!(
            "not an admin plane: {url} answered {} with {content}; see --admin-url (the setting admin-listen, \
             not listen, and no proxy's page)",
            status.as_u16()
        );
        // A proxy answers so while it does not reach the node.
        Self { is_passing: status.is_server_error(), ..Self::new("not an admin plane", text) }
    }

    /// Whether the same call may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_passing
    }

    /// Prints the failure on standard error and returns the exit code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        match (self.text.is_empty(), json) {
            (true, _) => ExitCode::from(self.code),
            (false, true) => fail(&self.problem, self.code),
            (false, false) => fail(&self.text, self.code),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
