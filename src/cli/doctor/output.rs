//! Prints the checks: a line for each, or JSON.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::check::{Check, FailedCheck, Finding};
use super::{file_checks, host_checks, output, store_checks};
use crate::cli::output::{FAILURE, print};
use crate::cli::runtime::run_to_end;
use crate::clock::Clock;
use crate::config::Loaded;

/// Returns a line for each check, and for each problem another one with its fix.
pub(super) fn text(checks: &[Check]) -> String {
    let name_width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { name, finding } in checks {
        let result = finding.name().replace('_', " ");
        let start = format!("{result:<11}  {name:<name_width$}  ");
        match finding {
            Finding::Ok(found) | Finding::NotChecked(found) => text += &format!("{start}{found}\n"),
            Finding::Warning(FailedCheck { place, cause, fix, .. })
            | Finding::Fault(FailedCheck { place, cause, fix, .. }) => {
                let indent = " ".repeat(start.len());
                text += &format!("{start}{place}: {cause}\n{indent}fix: {fix}\n");
            }
        }
    }
    text + &format!("\n{}\n", summary(checks))
}

/// Counts the results: `12 ok, 1 warning, 0 faults, 3 not checked`.
fn summary(checks: &[Check]) -> String {
    let count = |name: &str| checks.iter().filter(|check| check.finding.name() == name).count();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let (warnings, faults) = (count("warning"), count("fault"));
    format!(
        "{} ok, {warnings} warning{}, {faults} fault{}, {} not checked",
        count("ok"),
        plural(warnings),
        plural(faults),
        count("not_checked")
    )
}

/// Returns the checks as JSON.
pub(super) fn json(checks: &[Check]) -> String {
    let object = |Check { name, finding }: &Check| -> Value {
        let result = finding.name();
        match finding {
            Finding::Ok(found) | Finding::NotChecked(found) => json!({
                "check": name, "result": result, "kind": null, "where": null, "found": found, "fix": null,
            }),
            Finding::Warning(FailedCheck { place, cause, fix, kind })
            | Finding::Fault(FailedCheck { place, cause, fix, kind }) => json!({
                "check": name, "result": result, "kind": kind, "where": place, "found": cause, "fix": fix,
            }),
        }
    };
    let checks_json: Vec<_> = checks.iter().map(object).collect();
    json!({"healthy": is_healthy(checks), "checks": checks_json}).to_string()
}

/// Returns whether nothing is at fault. Warnings are allowed, and so is what could not be checked because of a fault that
/// is reported.
pub(super) fn is_healthy(checks: &[Check]) -> bool {
    !checks.iter().any(|check| matches!(check.finding, Finding::Fault(_)))
}

/// Checks the installation that these settings describe, and prints what was found. The exit code is 0 if nothing is at
/// fault.
pub(crate) fn doctor(loaded: &Loaded, as_json: bool) -> ExitCode {
    run_to_end(async {
        let (config, clock) = (&loaded.config, Clock::system());
        let mut checks = store_checks::run(config, &clock).await;
        checks.extend(file_checks::run(config, &clock));
        checks.extend(file_checks::of_secret_files(&loaded.secret_files()));
        checks.extend(host_checks::run(config).await);
        let printed = print(&if as_json { output::json(&checks) } else { output::text(&checks) });
        if output::is_healthy(&checks) { printed } else { ExitCode::from(FAILURE) }
    })
}

#[cfg(test)]
mod tests {
    use crate::store::report::Severity;

    use super::*;

    #[test]
    fn each_check_has_a_line_and_each_problem_its_fix() {
        let checks = [
            Check::ok("version", "redis 7.0.15"),
            Check::failed("memory", Severity::Warning, "a:1", "it is nearly full", "raise maxmemory"),
        ];
        let expected = "ok           version  redis 7.0.15\n\
                        warning      memory   a:1: it is nearly full\n\
                        \x20                     fix: raise maxmemory\n\
                        \n1 ok, 1 warning, 0 faults, 0 not checked\n";
        assert_eq!(text(&checks), expected);
        assert!(is_healthy(&checks));
        let value: Value = serde_json::from_str(&json(&checks)).unwrap();
        assert_eq!(value["healthy"], true);
        assert_eq!(value["checks"][1]["where"], "a:1");
    }

    #[test]
    fn a_fault_is_not_healthy() {
        let checks = [Check::failed("memory", Severity::Fault, "a:1", "it is full", "raise maxmemory")];
        assert!(!is_healthy(&checks) && text(&checks).contains("1 fault,"));
    }
}
