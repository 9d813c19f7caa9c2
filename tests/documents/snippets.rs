//! docs/proxies.md and docs/migration.md show only files that are tested, and name all of them.

use std::fs;
use std::path::Path;

/// Each page with the folder whose files it shows, and the least number of its snippets.
const PAGES: [(&str, &str, &str, usize); 2] = [
    ("proxies.md", include_str!("../../docs/proxies.md"), "config/proxies", 7),
    ("migration.md", include_str!("../../docs/migration.md"), "config/migration", 11),
];

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

/// Returns the blocks of a page that begin with "```LANGUAGE FOLDER/FILE", as paths and lines. A block in a list is
/// indented.
fn snippets<'a>(page: &'a str, folder: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let block = lines.by_ref().take_while(|line| line.trim() != "```").collect();
        if let Some(path) = info.split(' ').nth(1).filter(|path| path.starts_with(folder)) {
            found.push((path, block));
        }
    }
    found
}

#[test]
fn every_snippet_is_part_of_a_tested_file() {
    for (name, page, folder, least) in PAGES {
        let snippets = snippets(page, folder);
        for (path, lines) in &snippets {
            let file =
                fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            let snippet = plain(lines);
            let lines: Vec<_> = file.lines().filter(|line| !line.trim().is_empty()).collect();
            let found = lines.windows(snippet.len()).any(|window| plain(window) == snippet);
            assert!(found && !snippet.is_empty(), "not in {path}:\n{snippet:?}");
        }
        assert!(snippets.len() >= least, "{name}: {} snippets", snippets.len());
    }
}

#[test]
fn every_file_is_mentioned() {
    for (page, text, folder, _) in PAGES {
        for file in fs::read_dir(root().join(folder)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(text.contains(&format!("{folder}/{name}")), "{name} is not in {page}");
        }
    }
}
