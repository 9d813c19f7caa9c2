//! The table of goals: measures every line in one run.

use std::path::Path;
use std::time::Duration;

use doorward::system::Clock;

use crate::changes::{Changes, Cost};
use crate::first_auth::FirstAuth;
use crate::kept::Kept;
use crate::measure::{Pairs, Run};
use crate::million::{Growth, Stage};
use crate::publish::ratio;
use crate::redis_server::{RedisServer, look_ups};
use crate::revocation::{CHECKS_PER_SECOND, Revocation};
use crate::scenarios::Scenario;
use crate::stats::{median, percentile};
use crate::{Result, changes, first_auth, in_process, kept, million, publish, revocation};

const HEADER: &str = "| what | goal | measured | reached |\n|---|---|---|---|";
/// The names of the lines on the command line, in the order of the table. Lines of one measurement share a name.
pub const NAMES: [&str; 12] = [
    "auth-redis-cached",
    "cached-by-epoll",
    "auth-redis",
    "first-auth",
    "forged",
    "batch-cached",
    "pipelined-cached",
    "in-process",
    "million",
    "revocation",
    "changes",
    "kept",
];

/// Growth compares at four stages, each with this fraction of the pairs.
const GROWTH_PAIRS_BY: u32 = 2;

/// The options of the table.
pub struct Plan<'a> {
    /// The server to measure.
    pub server: &'a Path,
    /// Interleaved pairs of runs for each line that compares.
    pub pairs: u32,
    /// Length of a run.
    pub duration: Duration,
    /// The largest number of tokens for memory and growth.
    pub million: usize,
}

/// Measures the named lines, or all lines if none is named.
///
/// # Errors
/// The error of the first line that fails.
pub fn run(plan: &Plan, names: &[&str]) -> Result<()> {
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    let version = RedisServer::start()?.version()?;
    let seconds = plan.duration.as_secs_f64();
    println!("{}\n", publish::facts(plan.pairs, seconds, Some(&version), &publish::load_average()));
    println!("{HEADER}");
    for name in NAMES.iter().filter(|name| names.is_empty() || names.contains(*name)) {
        eprintln!("{name} …");
        plan.measure(name)?;
    }
    println!("\nIt took {} s.", (clock.boottime_ms() - from_ms) / 1_000);
    Ok(())
}

impl Plan<'_> {
    fn measure(&self, name: &str) -> Result<()> {
        match name {
            "auth-redis-cached" => {
                let pairs = self.pairs_of(name)?;
                line_at_most("cached `/auth`, CPU by bare hyper", 1.10, &pairs);
                line_look_ups("Redis look-ups per cached validation", look_ups_of(&pairs));
            }
            "cached-by-epoll" => {
                line_at_most(
                    "cached `/auth`, CPU by an epoll loop that parses nothing",
                    1.03,
                    &self.pairs_of(name)?,
                );
            }
            "first-auth" => line_first_auth(&first_auth::measure(self.server)?),
            "auth-redis" => line_at_most("uncached `/auth`, CPU by bare hyper", 1.15, &self.pairs_of(name)?),
            "forged" => line_at_most("forged token, CPU by bare hyper", 1.10, &self.pairs_of(name)?),
            "batch-cached" => {
                let what = "batch of 100 cached tokens, tokens per CPU second by `/auth`";
                line_times(what, 10.0, &self.pairs_of(name)?);
            }
            "pipelined-cached" => {
                let what = "cached `/auth`, 8 deep, requests per CPU second by 1 deep";
                line_times(what, 3.0, &self.pairs_of(name)?);
            }
            "in-process" => {
                let measured = in_process::measure(self.server, self.pairs)?;
                let shown = format!("{:.2} µs", measured.cpu_us);
                line("in-process validation, cached, CPU", "under 0.5 µs", &shown, measured.cpu_us < 0.5);
                line_look_ups("Redis look-ups per cached validation in process", measured.look_ups);
                line_threads("one hot token in process, two threads by one", &measured.hot_token);
                line_threads("10,000 tokens in process, two threads by one", &measured.many_tokens);
            }
            "million" => {
                let pairs = self.pairs.div_ceil(GROWTH_PAIRS_BY);
                let growth = million::measure(self.server, self.million, pairs, self.duration)?;
                lines_growth(&growth);
            }
            "revocation" => line_revocation(&revocation::measure(self.server)?),
            "changes" => lines_changes(&changes::measure(self.server)?),
            "kept" => line_kept(&kept::measure(self.server)?),
            _ => return Err(format!("no line of the table: {name}").into()),
        }
        Ok(())
    }

    fn pairs_of(&self, name: &str) -> Result<Pairs> {
        let (mut pairs, _) = Scenario::find(name)?.measure(&[self.server], self.pairs, self.duration)?;
        pairs.pop().ok_or_else(|| "nothing was measured".into())
    }
}

/// Memory, and throughput relative to bare hyper in the same minute. The load generator causes bare hyper's own loss:
/// with more tokens, it reads more memory.
fn lines_growth(growth: &Growth) {
    let tokens = growth.stages.last().map_or(0, |stage| stage.tokens);
    let what = format!("memory of a cached token, {tokens} of them");
    line(&what, "under 400 B", &format!("{:.0} B", growth.token_bytes), growth.token_bytes < 400.0);

    let throughput = |stage: &Stage| median(&stage.pairs.ratios(Run::per_second)).unwrap_or(f64::NAN);
    let kept = growth.stages.iter().map(throughput).fold(f64::INFINITY, f64::min)
        / growth.stages.iter().map(throughput).fold(0.0, f64::max);
    let shown: Vec<_> = growth.stages.iter().map(shown_stage).collect();
    let measured = format!("{:.0} % less; by bare hyper {}", (1.0 - kept) * 100.0, shown.join("; "));
    let what = format!("throughput among 1000 to {tokens} cached tokens");
    line(&what, "within 10 %", &measured, kept >= 0.9);
}

fn shown_stage(stage: &Stage) -> String {
    let Stage { tokens, pairs } = stage;
    let of = |runs: &[Run], value: fn(&Run) -> f64| {
        median(&runs.iter().map(value).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    format!(
        "{tokens}: {} ({:.0}/s by {:.0}/s; CPU {:.2} µs by {:.2} µs, Redis {:.2} µs)",
        ratio(&pairs.ratios(Run::per_second)),
        of(&pairs.subject, Run::per_second),
        of(&pairs.reference, Run::per_second),
        of(&pairs.subject, Run::cpu_us),
        of(&pairs.reference, Run::cpu_us),
        of(&pairs.subject, Run::redis_cpu_us),
    )
}

/// The goal holds only while both nodes serve the stated load within one percent.
fn line_revocation(revocation: &Revocation) {
    let Revocation { lags_ms, checks_per_second } = revocation;
    let of = |percent| percentile(lags_ms, percent).unwrap_or(f64::NAN);
    let (p50, p99, worst) = (of(50), of(99), of(100));
    let measured = format!(
        "p50 {p50:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms of {}; {checks_per_second:.0} checks/s at least",
        lags_ms.len()
    );
    let is_loaded = *checks_per_second >= 0.99 * f64::from(CHECKS_PER_SECOND);
    let what = "a revocation on one node is seen on another, while both serve 10,000 checks/s";
    line(what, "p50 under 1 ms, p99 under 5 ms", &measured, is_loaded && p50 < 1.0 && p99 < 5.0);
}

/// An issue by itself, what each further node adds, and the other changes by an issue.
fn lines_changes(measured: &Changes) {
    let Some(issue) = measured.compared_issue() else { return };
    let shown = |cost: &Cost| format!("{:.1} µs; Redis {:.1} µs", cost.node_us, cost.redis_us);
    let what = "CPU of a login, two nodes on Redis: the node; Redis";
    line(what, "at most 40 µs; 45 µs", &shown(&issue), issue.node_us <= 40.0 && issue.redis_us <= 45.0);
    if let ([(least, one), ..], [.., (most, all)]) = (&measured.issues[..], &measured.issues[..]) {
        let each = (all.redis_us - one.redis_us) / (most - least) as f64;
        let of_each: Vec<_> =
            measured.issues.iter().map(|(nodes, cost)| format!("{nodes}: {:.1} µs", cost.redis_us)).collect();
        let measured = format!("{each:.1} µs ({})", of_each.join(", "));
        line("Redis CPU of a login, for each further node", "at most 3 µs", &measured, each <= 3.0);
        let measured = format!("{:.1} µs", all.other_us);
        line("CPU of each other node for a login", "at most 3 µs", &measured, all.other_us <= 3.0);
    }
    for (what, cost) in [("revoking a token", measured.revoke), ("rotating a token", measured.rotate)] {
        let by = [cost.node_us / issue.node_us, cost.redis_us / issue.redis_us];
        let measured = format!("{:.2}; {:.2} ({})", by[0], by[1], shown(&cost));
        line(
            &format!("CPU of {what} by a login: the node; Redis"),
            "at most 1.3",
            &measured,
            by[0].max(by[1]) <= 1.3,
        );
    }
}

fn line_kept(measured: &Kept) {
    let kib = |bytes: f64| bytes / 1024.0;
    let shown = format!("{:.1} KiB; bare hyper {:.1} KiB", kib(measured.doorward), kib(measured.hyper));
    let what = "memory of a kept connection after one request";
    line(what, "at most 5 KiB", &shown, kib(measured.doorward) <= 5.0);
}

fn line_first_auth(measured: &[FirstAuth]) {
    let of = |time: fn(&FirstAuth) -> f64| median(&measured.iter().map(time).collect::<Vec<_>>());
    let us = |time| of(time).unwrap_or(f64::NAN);
    let by_ping: Vec<_> = measured.iter().map(FirstAuth::by_ping).collect();
    let shown = format!(
        "{}; {:.0} µs, cached {:.0} µs, PING {:.0} µs",
        ratio(&by_ping),
        us(|times| times.first_us),
        us(|times| times.cached_us),
        us(|times| times.ping_us)
    );
    let what =
        "first `/auth` of a token that only Redis knows, one client: time above a cached one by a PING";
    line(what, "at most 1.30", &shown, median(&by_ping).is_some_and(|by_ping| by_ping <= 1.3));
}

fn line_threads(what: &str, ratios: &[f64]) {
    line(what, "at least 1.80", &ratio(ratios), median(ratios).is_some_and(|median| median >= 1.8));
}

fn line_look_ups(what: &str, look_ups: f64) {
    line(what, "under 0.001", &format!("{look_ups:.5}"), look_ups < 0.001);
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
