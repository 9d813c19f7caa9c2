//! What the binary does with its settings: serve, check them, ask for health, hash a key.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Command, Config, LoadError, LogFormat};
use crate::entropy::Entropy;
use crate::healthcheck::ask_ready;
use crate::tls;

/// Runs the command line to its end.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    match config::load(args, env) {
        Ok(Command::Serve(config)) => serve(config),
        Ok(Command::CheckConfig { config, report }) => match tls::check(&config) {
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

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{error}");
    ExitCode::from(code)
}

fn serve(config: Config) -> ExitCode {
    start_logging(&config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    runtime.block_on(async {
        // Before anything else: a signal that comes while the server starts must not kill it halfway.
        let signals = match StopSignals::catch() {
            Ok(signals) => signals,
            Err(error) => return fail(&error, 1),
        };
        let log_format = config.log_format;
        let app = match App::start(config, Clock::system(), Entropy::system()).await {
            Ok(app) => app,
            Err(error) => return fail(&error, LoadError::EXIT_CODE),
        };
        print(&ready_lines(&app, log_format));
        match app.run(signals.stop()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        }
    })
}

fn start_logging(config: &Config) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::from(config.log_level))
        .with_writer(io::stderr)
        .with_ansi(false);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// SIGTERM and SIGINT, caught from when this is made.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn catch() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }

    /// Resolves at the first signal; a second one ends the process at once.
    async fn stop(mut self) {
        self.next().await;
        tracing::info!("stopping: open connections end, last accesses are written");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(1);
        });
    }
}

const EMBEDDED_STORE: &str =
    "EMBEDDED STORE: every token is lost when this process ends. Set redis-url to keep them.";

/// What standard output gets: the ready line, and on the embedded store how to begin.
fn ready_lines(app: &App, format: LogFormat) -> String {
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
fn first_session(app: &App, key: &str) -> String {
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
        Ok(status) => fail(&format!("not ready: {}", status.trim_end()), 1),
        Err(error) => fail(&format!("not reachable: {error}"), 1),
    }
}

fn hash_key() -> ExitCode {
    let mut text = String::new();
    // Keys are short; what is longer is none.
    if let Err(error) = io::stdin().lock().take(4096).read_to_string(&mut text) {
        return fail(&error, 1);
    }
    match config::hash_key(&text) {
        Ok(hash) => print(&hash),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}
