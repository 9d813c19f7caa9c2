//! The parts of every published table: the machine, and ratios with their confidence intervals.

use std::process::Command;

use crate::generator::{CONNECTIONS, THREADS};
use crate::stats::{median, median_interval_95};

/// Formats a median and the interval that contains the true one with 95 % probability.
pub fn ratio(ratios: &[f64]) -> String {
    let median = median(ratios).unwrap_or(f64::NAN);
    match median_interval_95(ratios) {
        Some((low, high)) => format!("**{median:.2}** [{low:.2}, {high:.2}]"),
        None => format!("**{median:.2}** [fewer than 6 pairs]"),
    }
}

/// Returns the line about the machine and the method.
///
/// `load_average` is from before the first run, and shows whether the machine was otherwise idle.
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

/// Returns the load average of the last minute (proc(5), `loadavg`).
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
