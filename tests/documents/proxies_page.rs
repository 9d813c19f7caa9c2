//! docs/proxies.md shows only configurations that are tested.

use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/proxies.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the non-empty lines without their common indentation.
fn plain(lines: &[&str]) -> Vec<String> {
    let lines: Vec<_> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let shared = lines.iter().map(|line| indent(line)).min().unwrap_or_default();
    lines.iter().map(|line| line[shared..].trim_end().to_owned()).collect()
}

/// A block that begins with "```LANGUAGE config/proxies/FILE" is a contiguous part of that file.
#[test]
fn every_snippet_is_part_of_a_tested_file() {
    let mut blocks = 0;
    for block in PAGE.split("\n```").skip(1).step_by(2) {
        let (info, text) = block.split_once('\n').unwrap();
        let Some(path) = info.split(' ').nth(1) else { continue };
        let file = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let snippet = plain(&text.lines().collect::<Vec<_>>());
        let lines: Vec<_> = file.lines().filter(|line| !line.trim().is_empty()).collect();
        let found = lines.windows(snippet.len()).any(|window| plain(window) == snippet);
        assert!(found && !snippet.is_empty(), "not in {path}:\n{text}");
        blocks += 1;
    }
    assert!(blocks >= 7, "{blocks} snippets");
}

#[test]
fn every_configuration_file_is_mentioned() {
    for file in fs::read_dir(root().join("config/proxies")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(PAGE.contains(&format!("config/proxies/{name}")), "{name} is not on the page");
    }
}
