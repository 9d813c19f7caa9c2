//! The goal table: every line with what was measured for it, in one run.

use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::measure::{Pairs, Run};
use crate::publish::ratio;
use crate::redis_server::look_ups;
use crate::scenarios::SCENARIOS;
use crate::single;
use crate::stats::median;

const HEADER: &str = "| what | goal | measured | reached |\n|---|---|---|---|";
/// Interleaved pairs among tokens of each number.
const GROWTH_PAIRS: u32 = 6;

/// Measures everything and prints line by line.
///
/// # Errors
/// Those of the first scenario that fails.
pub fn run(server: &Path, pairs: u32, duration: Duration) -> Result<()> {
    println!("{HEADER}");
    let pairs_of = |name: &str, count: u32| -> Result<Pairs> {
        eprintln!("{name} …");
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).ok_or("no such scenario")?;
        Ok(scenario.measure(server, count, duration)?.0)
    };
    let cached = pairs_of("auth-redis-cached", pairs)?;
    line_at_most("cached `/auth`, CPU by bare hyper", 1.10, &cached);
    line_at_most("uncached `/auth`, CPU by bare hyper", 1.35, &pairs_of("auth-redis", pairs)?);
    line_at_most("forged token, CPU by bare hyper", 1.10, &pairs_of("forged", pairs)?);
    let batch = pairs_of("batch-cached", pairs)?;
    line_times("batch of 100 cached tokens, tokens per CPU second by `/auth`", 10.0, &batch);
    let (cpu_us, in_process) = single::in_process(server)?;
    line("in-process validation, cached, CPU", "under 0.5 µs", &format!("{cpu_us:.2} µs"), cpu_us < 0.5);
    let served = look_ups_of(&cached);
    let worst = in_process.max(served);
    line(
        "Redis look-ups per cached validation",
        "under 0.001",
        &format!("{served:.5}; in process {in_process:.5}"),
        worst < 0.001,
    );
    let pipelined = pairs_of("pipelined-cached", pairs)?;
    line_times("cached `/auth`, 8 deep, requests per CPU second by 1 deep", 3.0, &pipelined);
    eprintln!("memory …");
    let bytes = single::cached_token_bytes(server)?;
    line(
        "memory of a cached token, a million of them",
        "under 400 B",
        &format!("{bytes:.0} B"),
        bytes < 400.0,
    );
    growth(&pairs_of)?;
    eprintln!("revocation …");
    let (median_ms, p99_ms) = single::revocation_ms(server)?;
    let measured = format!("median {median_ms:.0} ms, p99 {p99_ms:.0} ms");
    line("an ending on one node is heard by another, under load", "milliseconds", &measured, p99_ms < 10.0);
    Ok(())
}

/// Throughput by that of bare hyper in the same minute, from a thousand tokens to a million.
fn growth(pairs_of: &dyn Fn(&str, u32) -> Result<Pairs>) -> Result<()> {
    let mut throughputs = Vec::new();
    let mut shown = Vec::new();
    for name in ["cached-1k", "cached-10k", "cached-100k", "cached-1m"] {
        let pairs = pairs_of(name, GROWTH_PAIRS)?;
        let throughput = median(&pairs.ratios(Run::per_second)).unwrap_or(f64::NAN);
        let cpu = median(&pairs.ratios(Run::cpu_us)).unwrap_or(f64::NAN);
        shown.push(format!("{name}: {throughput:.2} (CPU {cpu:.2})"));
        throughputs.push(throughput);
    }
    let worst = throughputs.iter().copied().fold(f64::INFINITY, f64::min);
    let kept = worst / throughputs.iter().copied().fold(0.0, f64::max);
    let measured = format!("{:.0} % less; by bare hyper {}", (1.0 - kept) * 100.0, shown.join(", "));
    line("throughput among 1 thousand to 1 million cached tokens", "within 20 %", &measured, kept >= 0.8);
    Ok(())
}

fn look_ups_of(pairs: &Pairs) -> f64 {
    let validations: u64 = pairs.subject.iter().map(|run| run.validations).sum();
    let look_ups: u64 = pairs.subject.iter().map(|run| look_ups(&run.redis_calls)).sum();
    look_ups as f64 / validations as f64
}

fn line_at_most(what: &str, goal: f64, pairs: &Pairs) {
    let ratios = pairs.ratios(Run::cpu_us);
    let us = |runs: &[Run]| median(&runs.iter().map(Run::cpu_us).collect::<Vec<_>>()).unwrap_or(f64::NAN);
    let measured =
        format!("{}; {:.2} µs by {:.2} µs", ratio(&ratios), us(&pairs.subject), us(&pairs.reference));
    let is_reached = median(&ratios).is_some_and(|median| median <= goal);
    line(what, &format!("at most {goal:.2}"), &measured, is_reached);
}

fn line_times(what: &str, goal: f64, pairs: &Pairs) {
    let times: Vec<_> = pairs.ratios(Run::cpu_us).iter().map(|ratio| 1.0 / ratio).collect();
    let is_reached = median(&times).is_some_and(|median| median >= goal);
    line(what, &format!("at least {goal:.0} times"), &ratio(&times), is_reached);
}

fn line(what: &str, goal: &str, measured: &str, is_reached: bool) {
    println!("| {what} | {goal} | {measured} | {} |", if is_reached { "yes" } else { "no" });
}
