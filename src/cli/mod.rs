//! What the binary does with its settings: serve, check them, ask for health, hash a key.

pub mod healthcheck;

use std::error::Error;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::{io, thread};

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::healthcheck::ask_ready;
use crate::clock::Clock;
use crate::config::Command;
use crate::config::definition::Config;
use crate::config::mistake::LoadError;
use crate::entropy::Entropy;
use crate::server::Server;
use crate::values::LogFormat;
use crate::{config, logging, server};

/// The exit code of what is not a mistake in the settings.
const FAILURE: u8 = 1;

/// Runs the command line to its end.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    match config::load(args, env) {
        Ok(Command::Serve(config)) => serve(config),
        Ok(Command::CheckConfig { config, report }) => match server::check_tls_files(&config) {
            Ok(()) => print(&report),
            Err(error) => fail(&error, LoadError::EXIT_CODE),
        },
        Ok(Command::Healthcheck(config)) => healthcheck(&config),
        Ok(Command::HashKey) => hash_key(),
        Ok(Command::Print(text)) => print(&text),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}

fn print(text: &str) -> ExitCode {
    // A reader that went away has read enough.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    ExitCode::SUCCESS
}

/// Prints from a thread of its own: a pipe that nobody reads must not hold up the server.
fn print_aside(text: String) -> io::Result<()> {
    thread::Builder::new().name("ready".into()).spawn(move || print(&text)).map(drop)
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{error}");
    ExitCode::from(code)
}

fn serve(config: Config) -> ExitCode {
    if let Err(error) = logging::start(config.log_level, config.log_format) {
        return fail(&error, FAILURE);
    }
    let outcome = serve_logged(config);
    logging::flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err((error, code)) => fail(&error, code),
    }
}

/// Serves until it is told to stop.
///
/// # Errors
/// Why it could not, and the exit code.
fn serve_logged(config: Config) -> Result<(), (Box<dyn Error>, u8)> {
    let failure = |error: Box<dyn Error>| (error, FAILURE);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| failure(error.into()))?;
    let outcome = runtime.block_on(async {
        // Before anything else: a signal that comes while the server starts must not kill it halfway.
        let signals = StopSignals::catch().map_err(|error| failure(error.into()))?;
        let log_format = config.log_format;
        let app = server::start(config, Clock::system(), Entropy::system()).await.map_err(|error| {
            let code = if error.is_of_settings() { LoadError::EXIT_CODE } else { FAILURE };
            (error.into(), code)
        })?;
        print_aside(ready_lines(&app, log_format)).map_err(|error| failure(error.into()))?;
        app.run(signals.stop()).await.map_err(|error| failure(error.into()))
    });
    // A look-up of a name blocks a thread for as long as the resolver likes; nobody waits for it.
    runtime.shutdown_background();
    outcome
}

/// SIGTERM and SIGINT, caught from when this is made; and SIGHUP, which ends no server from then on.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// Held, so that it is caught. What it does: see [`server::transport::tls::reload`].
    _hangup: Signal,
}

impl StopSignals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }

    /// Resolves at the first signal; a second one ends the process at once.
    async fn stop(mut self) {
        self.next().await;
        tracing::info!("stopping");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(FAILURE.into());
        });
    }
}

const EMBEDDED_STORE: &str =
    "EMBEDDED STORE: every token is lost when this process ends. Set redis-url to keep them.";

/// What standard output gets: the ready line, and on the embedded store how to begin.
fn ready_lines(app: &Server, format: LogFormat) -> String {
    let (listen, admin_listen, store) = (&app.listen, &app.admin_listen, app.store_name);
    if format == LogFormat::Json {
        let mut line = serde_json::json!({
            "message": "ready", "listen": listen, "admin-listen": admin_listen, "store": store,
        });
        if let (Some(grpc_listen), Some(line)) = (&app.grpc_listen, line.as_object_mut()) {
            line.insert("grpc-listen".into(), grpc_listen.clone().into());
        }
        if let (true, Some(line)) = (store == "memory", line.as_object_mut()) {
            line.insert("warning".into(), EMBEDDED_STORE.into());
        }
        if let (Some(key), Some(line)) = (&app.generated_admin_key, line.as_object_mut()) {
            line.insert("admin-key".into(), key.clone().into());
        }
        return line.to_string();
    }
    let mut lines = format!("ready listen={listen} admin-listen={admin_listen}");
    if let Some(grpc_listen) = &app.grpc_listen {
        lines += &format!(" grpc-listen={grpc_listen}");
    }
    lines += &format!(" store={store}\n");
    if store == "memory" {
        lines += &format!("\n{EMBEDDED_STORE}\n");
    }
    if let Some(key) = &app.generated_admin_key {
        lines += &format!("\nadmin key for this run: {key}\n\n{}", first_session(app, key));
    }
    lines
}

/// The curl lines of a first session.
fn first_session(app: &Server, key: &str) -> String {
    let url = |address: &str, is_tls: bool| {
        let scheme = if is_tls { "https" } else { "http" };
        match address.strip_prefix("unix:") {
            Some(path) => format!("--unix-socket {path} {scheme}://localhost"),
            None => format!("{scheme}://{address}"),
        }
    };
    let (validation, admin) = (url(&app.listen, app.is_tls), url(&app.admin_listen, app.is_admin_tls));
    format!(
        "A first session:\n\
         \x20 KEY='{key}'\n\
         \x20 # issue a token\n\
         \x20 curl -s {admin}/v1/tokens -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n\
         \x20      -d '{{\"user\": \"alice\", \"ip\": \"203.0.113.7\"}}'\n\
         \x20 # may this request pass? (put the answer's \"token\" for TOKEN)\n\
         \x20 curl -i {validation}/auth -H 'Authorization: Bearer TOKEN'\n\
         \x20 # log out, everywhere\n\
         \x20 curl -s -X DELETE {admin}/v1/users/alice/tokens -H \"Authorization: Bearer $KEY\"\n"
    )
}

fn healthcheck(config: &Config) -> ExitCode {
    match ask_ready(config) {
        Ok(status) if status.starts_with("HTTP/1.1 200") => ExitCode::SUCCESS,
        Ok(status) => fail(&format!("not ready: {}", status.trim_end()), FAILURE),
        Err(error) => fail(&format!("not reachable: {error}"), FAILURE),
    }
}

fn hash_key() -> ExitCode {
    let mut text = String::new();
    // Keys are short; what is longer is none.
    if let Err(error) = io::stdin().lock().take(4096).read_to_string(&mut text) {
        return fail(&error, FAILURE);
    }
    match config::hash_key(&text) {
        Ok(hash) => print(&hash),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}
