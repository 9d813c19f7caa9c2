//! docs/limits.md names constants and settings that exist, with the values that they have.

use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/limits.md");
const SETTINGS: &str = include_str!("../../config/doorward.toml");

#[test]
fn every_limit_has_the_value_of_its_constant_or_setting() {
    let (mut constants, mut settings, mut mistakes) = (0, 0, Vec::new());
    for row in PAGE.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what |")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, limit, places] = cells[..] else { panic!("not three cells: {row}") };
        for place in places.split("; ").filter(|place| !place.is_empty()) {
            if place.starts_with("setting") {
                for name in code_spans(place) {
                    mistakes.extend(missing(limit, &setting_renderings(name), row));
                    settings += 1;
                }
            } else {
                let (names, folder) = place.split_once(" in ").unwrap_or_else(|| panic!("no folder: {row}"));
                let source = source_below(code_spans(folder)[0]);
                for name in code_spans(names) {
                    let values = definitions(&source, name);
                    if values.is_empty() {
                        mistakes.push(format!("no constant {name} in {folder}: {row}"));
                    }
                    for value in values {
                        mistakes.extend(missing(limit, &renderings(name, value), row));
                    }
                    constants += 1;
                }
            }
        }
    }
    assert!(mistakes.is_empty(), "docs/limits.md:\n{}", mistakes.join("\n"));
    assert!(constants > 50 && settings > 15, "{constants} constants, {settings} settings");
}

/// What `limit` lacks: each of the numbers has to be there, in one of its renderings.
fn missing(limit: &str, numbers: &[Vec<String>], row: &str) -> Vec<String> {
    let is_there = |text: &String| {
        limit.match_indices(text.as_str()).any(|(at, _)| {
            let is_digit = |c: char| c.is_ascii_digit() || c == ',';
            let before = limit[..at].chars().next_back().is_some_and(is_digit);
            let after = limit[at + text.len()..].chars().next().is_some_and(|c| c.is_ascii_digit());
            !before && !after
        })
    };
    let lacking = numbers.iter().filter(|renderings| !renderings.iter().any(is_there));
    lacking.map(|renderings| format!("none of {renderings:?} in: {row}")).collect()
}

fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The text of `src/PATH`: of a file, or of all files in a folder and below it; empty if it does not exist.
fn source_below(path: &str) -> String {
    let mut paths: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)];
    let mut text = String::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            text += &fs::read_to_string(&path).unwrap_or_default();
        }
    }
    text
}

/// The expressions that define the constant, in Rust (`const NAME: Type = …;`) or in Lua (`local A, B = 1, 2`).
fn definitions<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for line in source.lines() {
        if let Some((_, rest)) = line.split_once(&format!("const {name}: ")) {
            // The value of a constant that goes on in the next line is not read.
            let (_, value) = rest.split_once(" = ").unwrap_or((rest, ""));
            found.push(value.split_once(';').map_or(value, |(value, _)| value));
        }
        if let Some((names, values)) = line.strip_prefix("local ").and_then(|rest| rest.split_once(" = ")) {
            let values = values.split(" --").next().unwrap_or_default();
            found.extend(
                names.split(", ").zip(values.split(", ")).filter(|(n, _)| *n == name).map(|(_, v)| v),
            );
        }
    }
    found
}

/// How the numbers of a constant may be written; none for an expression that is no plain number.
fn renderings(name: &str, expression: &str) -> Vec<Vec<String>> {
    let product = |text: &str| {
        let factors = text.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>());
        factors.product::<Result<u64, _>>().ok()
    };
    let call = |name: &str| expression.strip_prefix(name)?.strip_suffix(')').and_then(product);
    if let Some(seconds) = call("Duration::from_secs(") {
        return vec![durations(seconds * 1000)];
    }
    if let Some(milliseconds) = call("Duration::from_millis(") {
        return vec![durations(milliseconds)];
    }
    let ends: Vec<&str> = expression.split("..=").collect();
    let numbers: Option<Vec<u64>> = ends.into_iter().map(product).collect();
    numbers
        .into_iter()
        .flatten()
        .map(|number| {
            if name.ends_with("_MS") {
                durations(number)
            } else if name.ends_with("_US") {
                durations(number / 1000)
            } else {
                amounts(number)
            }
        })
        .collect()
}

/// How the default of a setting may be written; none for one that is empty or off.
fn setting_renderings(name: &str) -> Vec<Vec<String>> {
    let line = SETTINGS.lines().find_map(|line| line.strip_prefix(&format!("#{name} = ")));
    let default = line.unwrap_or_else(|| panic!("no setting {name}")).trim_matches('"');
    let digits = default.find(|c: char| !c.is_ascii_digit()).unwrap_or(default.len());
    let (number, unit) = default.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(0) | Err(_) => Vec::new(),
        Ok(number) if unit_ms > 0 => vec![durations(number * unit_ms)],
        Ok(number) => vec![amounts(number)],
    }
}

/// 65536 is "65,536" or "64 KiB".
fn amounts(number: u64) -> Vec<String> {
    let units = [("", 1), (" KiB", 1024), (" MiB", 1024 * 1024)];
    let fitting = units.into_iter().filter(|(_, size)| number.is_multiple_of(*size));
    fitting.map(|(unit, size)| grouped(number / size) + unit).collect()
}

/// 7200000 is "7,200,000 ms", "7,200 s", "120 min" or "2 h".
fn durations(milliseconds: u64) -> Vec<String> {
    let units = [(" ms", 1), (" s", 1000), (" min", 60_000), (" h", 3_600_000), (" days", 86_400_000)];
    let fitting = units.into_iter().filter(|(_, size)| milliseconds.is_multiple_of(*size));
    fitting.map(|(unit, size)| grouped(milliseconds / size) + unit).collect()
}

/// 1234567 is "1,234,567".
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
