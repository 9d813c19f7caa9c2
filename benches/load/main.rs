//! The load harness: how much CPU a validation costs, always as a ratio against a bare hyper server measured in
//! the same minutes. What each row answers and how to read it: `benches/README.md`.
//!
//! ```text
//! cargo bench --bench load -- [--pairs N] [--seconds S] [--long] [--server PATH] [SCENARIO…]
//! cargo bench --bench load -- --table
//! ```

mod baseline;
mod client;
mod generator;
mod goals;
mod measure;
mod process;
mod publish;
mod redis_server;
mod report;
mod scenarios;
mod single;
mod stats;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::scenarios::{Group, SCENARIOS, Scenario};

/// A failure is told to whoever runs the harness and ends the scenario.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Options {
    pairs: u32,
    seconds: f64,
    server: PathBuf,
    scenarios: Vec<&'static Scenario>,
    is_table: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == baseline::ARGUMENT) {
        return exit_code(baseline::serve());
    }
    // `cargo test --benches` runs this too, without `--bench`: there compiling is the test.
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
    let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    let matches = Command::new("load")
        .arg(flag("bench").hide(true))
        .arg(flag("long").help("also measure cached look-ups among 1,000 to 1,000,000 tokens"))
        .arg(flag("table").help("every line of the goal table instead; about 8 minutes"))
        .arg(
            Arg::new("pairs")
                .long("pairs")
                .value_parser(value_parser!(u32).range(1..))
                .default_value("20")
                .help("interleaved pairs of runs for each scenario"),
        )
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_parser(parse_seconds)
                .default_value("1")
                .help("length of a run"),
        )
        .arg(
            Arg::new("server")
                .long("server")
                .value_parser(value_parser!(PathBuf))
                .default_value(env!("CARGO_BIN_EXE_doorward"))
                .help("the server to measure"),
        )
        .arg(
            Arg::new("scenario")
                .num_args(0..)
                .value_parser(names)
                .help("what to measure instead of the default"),
        )
        .get_matches();
    let named: Vec<&String> = matches.get_many("scenario").unwrap_or_default().collect();
    let wanted = |scenario: &&Scenario| match scenario.group {
        Group::Long if matches.get_flag("long") => true,
        Group::Default if named.is_empty() => true,
        _ => named.contains(&&scenario.name.to_owned()),
    };
    Options {
        pairs: matches.get_one("pairs").copied().unwrap_or_default(),
        seconds: matches.get_one("seconds").copied().unwrap_or_default(),
        server: matches.get_one("server").cloned().unwrap_or_default(),
        scenarios: SCENARIOS.iter().filter(wanted).collect(),
        is_table: matches.get_flag("table"),
    }
}

fn parse_seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=600.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds from 0.1 to 600".to_owned())
}

/// Measures every scenario, also after one has failed.
fn run(options: &Options) -> Result<()> {
    if options.is_table {
        let (pairs, seconds) = (options.pairs, options.seconds);
        println!("{}\n", publish::facts(pairs, seconds, None, &publish::load_average()));
        return goals::run(&options.server, pairs, Duration::from_secs_f64(seconds));
    }
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    let mut redis_version = None;
    let load_average = publish::load_average();
    for scenario in &options.scenarios {
        eprintln!("{} …", scenario.name);
        let duration = Duration::from_secs_f64(options.seconds);
        match scenario.measure(&options.server, options.pairs, duration) {
            Ok((pairs, version)) => {
                rows.push(report::table_row(scenario, &pairs));
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

/// A runtime of this thread alone.
fn current_thread_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
