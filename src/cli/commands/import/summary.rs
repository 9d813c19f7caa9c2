//! The outcomes of the lines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lines::LineBatch;
use crate::printable::printable;

/// The most reasons that are counted separately. The names of unknown fields, which come from the export, are in them.
const MAX_REASONS: usize = 100;
/// The most lines that are named for one reason.
const MAX_SHOWN_LINES: usize = 10;

/// The lines that were skipped for one reason.
#[derive(Default)]
struct Skipped {
    count: u64,
    first_lines: Vec<u64>,
}

/// The outcomes of the lines.
#[derive(Default)]
pub(super) struct Summary {
    imported: u64,
    existed: u64,
    skipped: u64,
    reasons: BTreeMap<String, Skipped>,
    /// All lines up to this one are done.
    pub(super) last_line: u64,
}

impl Summary {
    /// Adds a batch and the results of its records.
    ///
    /// # Errors
    /// If there is not one result for each record.
    pub(super) fn add(&mut self, batch: &LineBatch, results: &Value) -> Result<(), String> {
        let results = results.as_array().map_or(&[][..], Vec::as_slice);
        if results.len() != batch.records.len() {
            return Err("the node answered with another number of results".into());
        }
        for (line, reason) in &batch.skipped {
            self.skip(*line, reason);
        }
        for (line, result) in batch.lines.iter().zip(results) {
            match result["status"].as_str() {
                Some("imported") => self.imported += 1,
                Some("exists") => self.existed += 1,
                _ => self.skip(*line, &reason(result)),
            }
        }
        self.last_line = batch.last_line;
        Ok(())
    }

    fn skip(&mut self, line: u64, reason: &str) {
        self.skipped += 1;
        let is_known = self.reasons.contains_key(reason);
        let reason = if is_known || self.reasons.len() < MAX_REASONS { reason } else { "for other reasons" };
        let skipped = self.reasons.entry(reason.to_owned()).or_default();
        skipped.count += 1;
        if skipped.first_lines.len() < MAX_SHOWN_LINES {
            skipped.first_lines.push(line);
        }
    }

    /// Returns how many lines were skipped.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Returns the counts in a few words, for the progress.
    pub(super) fn counts(&self) -> String {
        format!("{} imported, {} known, {} skipped", self.imported, self.existed, self.skipped)
    }

    /// Returns the summary as JSON.
    pub(super) fn json(&self, is_dry: bool) -> Value {
        let reason = |(reason, skipped): (&String, &Skipped)| json!({"reason": reason, "count": skipped.count, "first_lines": skipped.first_lines});
        json!({
            "dry_run": is_dry,
            "last_line": self.last_line,
            "imported": self.imported,
            "exists": self.existed,
            "skipped": self.skipped,
            "reasons": self.reasons.iter().map(reason).collect::<Vec<_>>(),
        })
    }
}

/// Returns what is wrong with a record: the field in it, and the rule.
fn reason(result: &Value) -> String {
    let error = &result["errors"][0];
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    // #/tokens/17/user/…
    let field = text("pointer").splitn(4, '/').nth(3).unwrap_or_default();
    printable(if field.is_empty() {
        text("detail").to_owned()
    } else {
        format!("{field}: {}", text("detail"))
    })
}

/// Shows a summary in JSON as text.
pub(super) fn show(summary: &Value) -> String {
    let count = |name: &str| summary[name].as_u64().unwrap_or_default();
    let imported = if summary["dry_run"] == true { "would be imported" } else { "imported" };
    let mut text = format!(
        "{} {imported}, {} imported before, {} skipped",
        count("imported"),
        count("exists"),
        count("skipped")
    );
    for reason in summary["reasons"].as_array().into_iter().flatten() {
        let lines: Vec<_> =
            reason["first_lines"].as_array().into_iter().flatten().map(Value::to_string).collect();
        let count = reason["count"].as_u64().unwrap_or_default();
        let more = if count > lines.len() as u64 { ", …" } else { "" };
        let reason = reason["reason"].as_str().unwrap_or_default();
        let noun = if count == 1 { "line" } else { "lines" };
        text += &format!("\n  {count} skipped: {reason} ({noun} {}{more})", lines.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_lines_are_counted_by_reason() {
        let mut summary = Summary::default();
        let rejected = |field: &str| {
            let errors = json!([{"pointer": format!("#/tokens/0/{field}"), "detail": "is bad"}]);
            json!({"status": "rejected", "id": null, "errors": errors})
        };
        for line in 1..=12 {
            let batch = LineBatch {
                records: vec![json!({})],
                lines: vec![line],
                last_line: line,
                ..LineBatch::default()
            };
            summary.add(&batch, &json!([rejected("user")])).unwrap();
        }
        let batch = LineBatch {
            records: vec![json!({}); 3],
            lines: vec![20, 21, 23],
            skipped: vec![(22, "is not a JSON object".into())],
            last_line: 23,
            ..LineBatch::default()
        };
        let results = json!([{"status": "imported"}, {"status": "exists"}, rejected("scopes/0")]);
        summary.add(&batch, &results).unwrap();
        assert!(summary.add(&batch, &json!([])).is_err());
        assert_eq!(
            show(&summary.json(false)),
            "1 imported, 1 imported before, 14 skipped\n  \
             1 skipped: is not a JSON object (line 22)\n  \
             1 skipped: scopes/0: is bad (line 23)\n  \
             12 skipped: user: is bad (lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …)"
        );
        assert!(show(&summary.json(true)).starts_with("1 would be imported, "));
    }

    #[test]
    fn reasons_are_bounded() {
        let mut summary = Summary::default();
        (0..1000).for_each(|line| summary.skip(line, &format!("field {line}: is unknown")));
        assert_eq!((summary.reasons.len(), summary.skipped()), (MAX_REASONS + 1, 1000));
    }
}
