//! The load harness: the CPU cost of a validation, always as a ratio to a bare hyper server measured in the same
//! minutes. `benches/README.md` explains the rows.
//!
//! ```text
//! cargo bench --bench load -- [--pairs N] [--seconds S] [--server PATH] [--before PATH] [SCENARIO…]
//! cargo bench --bench load -- --table [--pairs N] [--seconds S] [--tokens N] [--server PATH] [LINE…]
//! ```

mod baseline;
mod changes;
mod client;
mod epoll;
mod first_auth;
mod generator;
mod goals;
mod in_process;
mod kept;
mod measure;
mod million;
mod minimal_login;
mod process;
mod publish;
mod redis_server;
mod report;
mod revocation;
mod scenarios;
mod stats;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::scenarios::{SCENARIOS, Scenario};

/// The server's allocator, so that server, bare hyper and in-process validation use the same one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The error of a scenario, which is printed and ends the scenario.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The default durations of a run: for the many lines of the table, and for a row.
const TABLE_SECONDS: f64 = 0.4;
const ROW_SECONDS: f64 = 1.0;

struct Options {
    pairs: u32,
    seconds: f64,
    /// The largest number of tokens for the table's memory and growth.
    million: u32,
    server: PathBuf,
    /// An earlier build to measure in the same rounds.
    before: Option<PathBuf>,
    names: Vec<String>,
    is_table: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == baseline::ARGUMENT) {
        return exit_code(baseline::serve());
    }
    if arguments.iter().any(|argument| argument == epoll::ARGUMENT) {
        return exit_code(epoll::serve());
    }
    if arguments.iter().any(|argument| argument == minimal_login::ARGUMENT) {
        return exit_code(minimal_login::serve());
    }
    // `cargo test --benches` runs this without `--bench`, where compiling is the test.
    if !arguments.iter().any(|argument| argument == "--bench") || arguments.iter().any(|a| a == "--test") {
        return ExitCode::SUCCESS;
    }
    exit_code(run(&options()))
}

fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Options {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let option = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help);
    let number = |from: i64| value_parser!(u32).range(from..);
    let matches =
        Command::new("load")
            .arg(flag("bench").hide(true))
            .arg(flag("table").help("the lines of the goal table instead of rows"))
            .arg(
                option("pairs", "interleaved pairs of runs for each comparison")
                    .value_parser(number(1))
                    .default_value("20"),
            )
            .arg(
                option("seconds", "length of a run: 1, or 0.4 for the table, when not given")
                    .value_parser(parse_seconds),
            )
            .arg(
                option("tokens", "most tokens of the table's memory and growth")
                    .requires("table")
                    .value_parser(number(2))
                    .default_value("1000000"),
            )
            .arg(
                option("server", "the server to measure")
                    .value_parser(value_parser!(PathBuf))
                    .default_value(env!("CARGO_BIN_EXE_doorward")),
            )
            .arg(
                option("before", "an earlier build to measure in the same rounds")
                    .conflicts_with("table")
                    .value_parser(value_parser!(PathBuf)),
            )
            .arg(Arg::new("name").num_args(0..).value_parser(names()).help(
                "what to measure: rows instead of the default ones, or lines of the table instead of all",
            ))
            .get_matches();
    let is_table = matches.get_flag("table");
    let seconds = if is_table { TABLE_SECONDS } else { ROW_SECONDS };
    Options {
        pairs: matches.get_one("pairs").copied().unwrap_or_default(),
        seconds: matches.get_one("seconds").copied().unwrap_or(seconds),
        million: matches.get_one("tokens").copied().unwrap_or_default(),
        server: matches.get_one("server").cloned().unwrap_or_default(),
        before: matches.get_one("before").cloned(),
        names: matches.get_many("name").unwrap_or_default().cloned().collect(),
        is_table,
    }
}

/// Names of rows, and of lines of the table that are not rows.
fn names() -> Vec<&'static str> {
    let rows = SCENARIOS.iter().map(|scenario| scenario.name);
    let lines = goals::NAMES.into_iter().filter(|name| Scenario::find(name).is_err());
    rows.chain(lines).collect()
}

fn parse_seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=600.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds from 0.1 to 600".to_owned())
}

fn run(options: &Options) -> Result<()> {
    let names: Vec<_> = options.names.iter().map(String::as_str).collect();
    if options.is_table { table(options, &names) } else { rows(options, &names) }
}

fn table(options: &Options, names: &[&str]) -> Result<()> {
    if let Some(name) = names.iter().find(|name| !goals::NAMES.contains(name)) {
        return Err(format!("{name} is no line of the table: {}", goals::NAMES.join(", ")).into());
    }
    let plan = goals::Plan {
        server: &options.server,
        pairs: options.pairs,
        duration: Duration::from_secs_f64(options.seconds),
        million: options.million as usize,
    };
    goals::run(&plan, names)
}

/// Measures every scenario, even after a failure.
fn rows(options: &Options, names: &[&str]) -> Result<()> {
    let scenarios: Vec<_> = match names {
        [] => SCENARIOS.iter().filter(|scenario| scenario.is_default).collect(),
        names => names.iter().map(|name| Scenario::find(name)).collect::<Result<_>>()?,
    };
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    let mut redis_version = None;
    let load_average = publish::load_average();
    for scenario in scenarios {
        eprintln!("{} …", scenario.name);
        let duration = Duration::from_secs_f64(options.seconds);
        let servers: Vec<_> = options.before.iter().chain([&options.server]).map(PathBuf::as_path).collect();
        match scenario.measure(&servers, options.pairs, duration) {
            Ok((pairs, version)) => {
                rows.extend(report::rows_of(scenario, &pairs));
                redis_version = redis_version.or(version);
            }
            Err(error) => failed.push(format!("FAILED {}: {error}", scenario.name)),
        }
    }
    println!("{}\n", publish::facts(options.pairs, options.seconds, redis_version.as_deref(), &load_average));
    println!("{}", report::TABLE_HEADER);
    for row in rows {
        println!("{row}");
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

/// Returns a single-threaded runtime.
fn current_thread_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
