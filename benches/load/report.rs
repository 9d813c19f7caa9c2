//! The result as Markdown, with the machine it came from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use crate::generator::{CONNECTIONS, THREADS};
use crate::measure::{Pairs, Run};
use crate::scenarios::Scenario;
use crate::stats::{median, median_interval_95};

/// The header of the table.
pub const TABLE_HEADER: &str = "\
| scenario | against | CPU µs: reference | CPU µs: Doorward | CPU ratio [95 %] | per s: reference | per s: Doorward \
| throughput ratio [95 %] | Redis CPU µs | Redis commands |
|---|---|---|---|---|---|---|---|---|---|";

/// One row of the table; CPU and commands are for one validation, all but the commands are medians.
pub fn table_row(scenario: &Scenario, pairs: &Pairs) -> String {
    let of = |runs: &[Run], value: fn(&Run) -> f64| {
        median(&runs.iter().map(value).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    let (redis_cpu, redis_commands) = if pairs.subject.iter().any(|run| run.redis_cpu_ns > 0) {
        let cpu_us = of(&pairs.subject, |run| run.redis_cpu_ns as f64 / 1e3 / run.validations as f64);
        (format!("{cpu_us:.2}"), commands(&pairs.subject))
    } else {
        ("-".to_owned(), "-".to_owned())
    };
    format!(
        "| {} | {} | {:.2} | {:.2} | {} | {:.0} | {:.0} | {} | {redis_cpu} | {redis_commands} |",
        scenario.name,
        scenario.reference_name(),
        of(&pairs.reference, Run::cpu_us),
        of(&pairs.subject, Run::cpu_us),
        ratio(&pairs.ratios(Run::cpu_us)),
        of(&pairs.reference, Run::per_second),
        of(&pairs.subject, Run::per_second),
        ratio(&pairs.ratios(Run::per_second)),
    )
}

/// A median and the interval that holds it.
pub fn ratio(ratios: &[f64]) -> String {
    let median = median(ratios).unwrap_or(f64::NAN);
    match median_interval_95(ratios) {
        Some((low, high)) => format!("**{median:.2}** [{low:.2}, {high:.2}]"),
        None => format!("**{median:.2}** [fewer than 6 pairs]"),
    }
}

/// Redis commands for one validation over all runs, the frequent ones by name.
fn commands(runs: &[Run]) -> String {
    let validations = runs.iter().map(|run| run.validations).sum::<u64>() as f64;
    let mut calls = BTreeMap::new();
    for (command, count) in runs.iter().flat_map(|run| &run.redis_calls) {
        *calls.entry(command).or_insert(0) += count;
    }
    let mut text = format!("{:.3}", calls.values().sum::<u64>() as f64 / validations);
    for (command, count) in calls {
        let each = count as f64 / validations;
        if each >= 0.001 {
            let _ = write!(text, ", {command} {each:.3}");
        }
    }
    text
}

/// The line on the machine and the method.
///
/// `load_average` is that from before the first run: whether the machine was ours alone.
pub fn facts(pairs: u32, seconds: f64, redis_version: Option<&str>, load_average: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| "unknown".into());
    format!(
        "{}, {cores} cores, Linux {}; {}; Redis {}; commit {}; load average {}. {pairs} interleaved pairs of {seconds} s runs, \
         {CONNECTIONS} keep-alive connections from {THREADS} threads on the same machine.",
        cpu_model(),
        kernel.trim(),
        output_of("rustc", &["--version"]),
        redis_version.unwrap_or("not used"),
        output_of("git", &["describe", "--always", "--dirty"]),
        load_average,
    )
}

/// Runnable threads over the last minute (proc(5), `loadavg`).
pub fn load_average() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}

fn cpu_model() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown CPU", |(_, model)| model).to_owned()
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
