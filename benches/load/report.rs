//! The results as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::measure::{Pairs, Run};
use crate::publish::ratio;
use crate::scenarios::Scenario;
use crate::stats::median;

/// Returns the header of the table.
pub const TABLE_HEADER: &str = "\
| scenario | against | CPU µs: reference | CPU µs: Doorward | CPU ratio [95 %] | per s: reference | per s: Doorward \
| throughput ratio [95 %] | Redis CPU µs | Redis commands |
|---|---|---|---|---|---|---|---|---|---|";

/// Returns the rows of a scenario: the server's, and with an earlier build, also that build's and the comparison of
/// both.
pub fn rows_of(scenario: &Scenario, measured: &[Pairs]) -> Vec<String> {
    let (name, against) = (scenario.name, scenario.reference_name());
    match measured {
        [before, now] => vec![
            table_row(&format!("{name}, before"), against, before),
            table_row(name, against, now),
            table_row(name, "before", &now.by(before)),
        ],
        measured => measured.iter().map(|pairs| table_row(name, against, pairs)).collect(),
    }
}

/// Returns one row of the table. CPU and commands are per validation; all values except commands are medians.
fn table_row(name: &str, against: &str, pairs: &Pairs) -> String {
    let of = |runs: &[Run], value: fn(&Run) -> f64| {
        median(&runs.iter().map(value).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    let (redis_cpu, redis_commands) = if pairs.subject.iter().any(|run| run.redis_cpu_ns > 0) {
        let cpu_us = of(&pairs.subject, Run::redis_cpu_us);
        (format!("{cpu_us:.2}"), commands(&pairs.subject))
    } else {
        ("-".to_owned(), "-".to_owned())
    };
    format!(
        "| {name} | {against} | {:.2} | {:.2} | {} | {:.0} | {:.0} | {} | {redis_cpu} | {redis_commands} |",
        of(&pairs.reference, Run::cpu_us),
        of(&pairs.subject, Run::cpu_us),
        ratio(&pairs.ratios(Run::cpu_us)),
        of(&pairs.reference, Run::per_second),
        of(&pairs.subject, Run::per_second),
        ratio(&pairs.ratios(Run::per_second)),
    )
}

/// Returns the Redis commands per validation over all runs, the frequent ones by name.
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
