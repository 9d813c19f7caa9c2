//! The report, as a table or as JSON.

use serde_json::{Value, json};

use super::args::VerifyArgs;
use crate::cli::show::output::table;
use crate::store::redis::verification::damage::{Kind, Weight};
use crate::store::redis::verification::report::{Tally, VerificationReport};

/// Returns the text on standard output.
pub(crate) fn text(report: &VerificationReport, args: &VerifyArgs) -> String {
    if args.json { json(report, args).to_string() } else { page(report, args) }
}

fn json(report: &VerificationReport, args: &VerifyArgs) -> Value {
    let finding = |(kind, tally): (&Kind, &Tally)| {
        json!({
            "kind": kind.name(),
            "is_damage": kind.weight() == Weight::Damage,
            "found": tally.found,
            "repaired": tally.repaired,
            "left": tally.left(),
            "examples": tally.examples,
            "description": kind.description(),
            "repair": kind.repair(),
        })
    };
    json!({
        "is_complete": report.incomplete.is_empty(),
        "incomplete": report.incomplete,
        "repair": args.repair,
        "damage_left": report.damage_left(),
        "masters": report.masters,
        "keys": report.keys,
        "members": report.members,
        "seconds": report.duration.as_secs_f64(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn page(report: &VerificationReport, args: &VerifyArgs) -> String {
    let mut text = String::new();
    if !report.findings.is_empty() {
        text += &format!("{}\n", counts(report));
    }
    for (kind, tally) in &report.findings {
        let repair = match kind.repair() {
            "" => "Only reported.".to_owned(),
            repair => format!("Repair: {repair}"),
        };
        text += &format!("\n{}: {} {repair}\n", kind.name(), kind.description());
        text.extend(tally.examples.iter().map(|example| format!("  {example}\n")));
        let more = tally.found - tally.examples.len() as u64;
        if more > 0 {
            text += &format!("  and {more} more\n");
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text += &format!(
        "Checked {} keys and {} members on {} in {:.1} s.\n",
        report.keys,
        report.members,
        report.masters.join(", "),
        report.duration.as_secs_f64()
    );
    for reason in &report.incomplete {
        text += &format!("INCOMPLETE: {reason}. Keys may have been left out.\n");
    }
    text + &conclusion(report, args)
}

fn counts(report: &VerificationReport) -> String {
    let row = |(kind, tally): (&Kind, &Tally)| {
        let name = match kind.weight() {
            Weight::Damage => kind.name().to_owned(),
            Weight::Note => format!("{} (no damage)", kind.name()),
        };
        vec![name, tally.found.to_string(), tally.repaired.to_string(), tally.left().to_string()]
    };
    table(&["KIND", "FOUND", "REPAIRED", "LEFT"], report.findings.iter().map(row))
}

fn conclusion(report: &VerificationReport, args: &VerifyArgs) -> String {
    let damage = report.findings.iter().filter(|(kind, _)| kind.weight() == Weight::Damage);
    let (mut found, mut repairable) = (0, 0);
    for (kind, tally) in damage {
        found += tally.found;
        repairable += if kind.repair().is_empty() { 0 } else { tally.left() };
    }
    match (found, report.damage_left()) {
        (0, _) => "No damage was found.".to_owned(),
        (found, 0) => format!("Damage was found and repaired: {found}."),
        (found, left) if args.repair => format!("Damage found: {found}. Left: {left}."),
        (found, _) => format!("Damage found: {found}. With --repair, {repairable} can be repaired."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(repair: bool, json: bool) -> VerifyArgs {
        VerifyArgs { repair, rate: 1, show_users: false, json }
    }

    fn report() -> VerificationReport {
        let mut report = VerificationReport { keys: 5, masters: vec!["a:1".into()], ..Default::default() };
        report.add(Kind::TokenNotInIndex, false, || "dw:t:{8c4d}:x".into());
        report.add(Kind::CorruptRecord, false, || "dw:t:{8c4d}:y".into());
        report.add(Kind::UnknownKey, false, || "dw:z".into());
        report
    }

    #[test]
    fn the_table_names_kinds_counts_and_keys() {
        let text = page(&report(), &args(false, false));
        for part in [
            "token-not-in-index",
            "unknown-key (no damage)",
            "  dw:t:{8c4d}:x\n",
            "Only reported.",
            "Checked 5 keys and 0 members on a:1",
            "Damage found: 2. With --repair, 1 can be repaired.",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_conclusion_says_what_is_left() {
        let mut repaired = VerificationReport::default();
        assert_eq!(conclusion(&repaired, &args(true, false)), "No damage was found.");
        repaired.add(Kind::MissingTtl, true, String::new);
        assert_eq!(conclusion(&repaired, &args(true, false)), "Damage was found and repaired: 1.");
        assert_eq!(conclusion(&report(), &args(true, false)), "Damage found: 2. Left: 2.");
    }

    #[test]
    fn json_has_the_same_figures() {
        let value: Value = serde_json::from_str(&super::text(&report(), &args(false, true))).unwrap();
        assert_eq!((&value["damage_left"], &value["is_complete"]), (&json!(2), &json!(true)));
        assert_eq!(value["findings"][0]["kind"], "token-not-in-index");
        assert_eq!(value["findings"][2]["is_damage"], false);
    }
}
