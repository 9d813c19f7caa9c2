//! The cost of the check behind each reverse proxy: the same proxy and application, with and without the check in turn.
//! `docs/proxies.md` explains the results.
//!
//! ```text
//! cargo bench --bench proxies -- [--pairs N] [--seconds S] [--tokens N] [PROXY…]
//! ```

// Shares modules with the load harness and the tests, and uses a part of each.
#![allow(dead_code)]

#[path = "../load/baseline.rs"]
mod baseline;
#[path = "../load/client.rs"]
mod client;
// Starts the proxies as the tests do.
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../load/generator.rs"]
mod generator;
mod measure;
#[path = "../load/process.rs"]
mod process;
#[path = "../load/publish.rs"]
mod publish;
#[path = "../load/stats.rs"]
mod stats;
#[path = "../load/subject.rs"]
mod subject;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::baseline::Baseline;
use crate::common::ports::Port;
use crate::common::proxies::proxy::{Between, Proxy};
use crate::common::proxies::{caddy, envoy, haproxy, nginx, traefik};
use crate::common::tls::{Authority, Identity};
use crate::measure::Pairs;
use crate::stats::median;
use crate::subject::Doorward;

/// The error of a row, which is printed and ends the row.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The application's answer: a minimal page.
const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

/// The extent of the measurement.
#[derive(Clone, Copy)]
struct Plan {
    /// Pairs of runs for each proxy.
    pairs: u32,
    /// The duration of a run.
    seconds: f64,
    /// The tokens that the requests pick from.
    tokens: u16,
}

/// The way to start a proxy.
#[derive(Clone, Copy)]
enum Start {
    Plain(fn(Between) -> Proxy),
    /// Asks Doorward over TLS; gets the authority's certificate.
    Tls(fn(Between, &Path) -> Proxy),
}

/// The names of the rows, and the proxies that they start.
const PROXIES: &[(&str, Start)] = &[
    ("nginx", Start::Plain(nginx::start)),
    ("nginx-cached", Start::Plain(nginx::start_cached)),
    ("envoy-grpc", Start::Plain(envoy::start_grpc)),
    ("envoy-http", Start::Plain(envoy::start_http)),
    ("caddy", Start::Plain(caddy::start_2_11)),
    ("traefik", Start::Plain(traefik::start)),
    ("traefik-tls", Start::Tls(traefik::start_tls)),
    ("haproxy", Start::Plain(haproxy::start)),
];

const TABLE_HEADER: &str = "\
| proxy | requests/s: unchecked | requests/s: checked | ratio [95 %] | proxy CPU µs: unchecked | proxy CPU µs: checked \
| Doorward CPU µs for a checked request |
|---|---|---|---|---|---|---|";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let result = if arguments.iter().any(|argument| argument == baseline::ARGUMENT) {
        baseline::serve()
    } else if !arguments.iter().any(|argument| argument == "--bench") {
        // `cargo test --benches` runs this without `--bench`, where compiling is the test.
        Ok(())
    } else {
        run()
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let names: Vec<_> = PROXIES.iter().map(|(name, _)| *name).collect();
    let matches = Command::new("proxies")
        .arg(Arg::new("bench").long("bench").action(ArgAction::SetTrue).hide(true))
        .arg(
            Arg::new("pairs")
                .long("pairs")
                .value_parser(value_parser!(u32).range(1..))
                .default_value("20")
                .help("interleaved pairs of runs for each proxy"),
        )
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_parser(value_parser!(f64))
                .default_value("1")
                .help("length of a run"),
        )
        .arg(
            Arg::new("tokens")
                .long("tokens")
                .value_parser(value_parser!(u16).range(1..))
                .default_value("10000")
                .help("how many tokens the requests pick from"),
        )
        .arg(Arg::new("proxy").num_args(0..).value_parser(names).help("what to measure instead of all"))
        .get_matches();
    let plan = Plan {
        pairs: matches.get_one("pairs").copied().unwrap_or_default(),
        seconds: matches.get_one("seconds").copied().unwrap_or_default(),
        tokens: matches.get_one("tokens").copied().unwrap_or_default(),
    };
    let wanted: Vec<&String> = matches.get_many("proxy").unwrap_or_default().collect();

    let load_average = publish::load_average();
    let app = Baseline::start(PAGE)?;
    let facts = publish::facts(plan.pairs, plan.seconds, None, &load_average);
    println!("{facts} {} tokens.\n\n{TABLE_HEADER}", plan.tokens);
    for (name, start) in PROXIES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("{}", row(name, &measure(name, *start, &app, plan)?));
        }
    }
    Ok(())
}

/// Measures one proxy with its own Doorward.
fn measure(name: &str, start: Start, app: &Baseline, plan: Plan) -> Result<Pairs> {
    let authority = Authority::new();
    let grpc_port = Port::reserve();
    let grpc = format!("127.0.0.1:{}", grpc_port.number());
    let mut settings = vec![("DOORWARD_GRPC_LISTEN", grpc.clone())];
    if let Start::Tls(_) = start {
        let Identity { cert, key } = authority.issue("doorward");
        let path = |path: PathBuf| path.display().to_string();
        settings.extend([("DOORWARD_TLS_CERT", path(cert)), ("DOORWARD_TLS_KEY", path(key))]);
    }
    let doorward = Doorward::start(Path::new(env!("CARGO_BIN_EXE_doorward")), &settings)?;
    let tokens: Arc<[String]> = doorward.issue_tokens(plan.tokens.into())?.into();
    let [validation, admin, app] =
        [doorward.address, doorward.admin_address, app.address].map(|address| address.to_string());
    let between = Between { doorward: &validation, grpc: &grpc, admin: &admin, app: &app };
    let proxy = match start {
        Start::Plain(start) => start(between),
        Start::Tls(start) => start(between, &authority.cert()),
    };
    let duration = Duration::from_secs_f64(plan.seconds);
    Pairs::measure(&proxy, &doorward.process, &tokens, plan.pairs, duration)
        .map_err(|error| format!("{name}: {error}\n{}", proxy.log()).into())
}

fn row(name: &str, pairs: &Pairs) -> String {
    let of = |values: Vec<f64>| median(&values).unwrap_or(f64::NAN);
    let unchecked = |value: fn(&measure::Run) -> f64| of(pairs.unchecked.iter().map(value).collect());
    let checked = |value: fn(&measure::Run) -> f64| of(pairs.checked.iter().map(value).collect());
    format!(
        "| {name} | {:.0} | {:.0} | {} | {:.1} | {:.1} | {:.1} |",
        unchecked(measure::Run::per_second),
        checked(measure::Run::per_second),
        publish::ratio(&pairs.ratios()),
        unchecked(measure::Run::proxy_cpu_us),
        checked(measure::Run::proxy_cpu_us),
        checked(measure::Run::doorward_cpu_us),
    )
}

/// Returns a single-threaded runtime.
fn current_thread_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
