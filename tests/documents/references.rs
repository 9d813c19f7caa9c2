//! The documents name files that exist: in links, in code spans, and in the map of ARCHITECTURE.md. Log messages that they
//! name are in the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 10] = [
    "src/",
    "tests/",
    "benches/",
    "clients/",
    "config/",
    "docs/",
    "scripts/",
    "fuzz/",
    "examples/",
    "packaging/",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The documents, by their paths from the root.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("benches/README.md")];
    for folder in ["", "docs"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        found.extend(names.filter(|name| name.ends_with(".md")).map(|name| Path::new(folder).join(name)));
    }
    found
}

fn text_of(document: &Path) -> String {
    fs::read_to_string(root().join(document)).unwrap()
}

/// A document without its fenced blocks.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    for document in documents() {
        let text = prose(&text_of(&document));
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let folder = document.parent().unwrap();
            let target = if path.is_empty() { document.clone() } else { folder.join(path) };
            assert!(root().join(&target).exists(), "{}: {link}", document.display());
            let is_there = || headings(&text_of(&target)).iter().any(|there| there == heading);
            assert!(heading.is_empty() || is_there(), "no such heading in {}: {link}", document.display());
            links += 1;
        }
    }
    assert!(links > 50, "{links} links");
}

/// The headings as links name them: in lower case, with hyphens for spaces, without most signs.
fn headings(text: &str) -> Vec<String> {
    let lines = prose(text);
    let titles =
        lines.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#'));
    let slug = |title: &str| {
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        title.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(slug).collect()
}

/// In a code span, a path below one of the project's folders, or below a folder of `src`, is one that exists; with a word in
/// capitals it is a pattern.
#[test]
fn every_path_in_a_code_span_exists() {
    let folders = fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
    let in_src: Vec<_> = folders.map(|name| format!("{}/", name.into_string().unwrap())).collect();
    let is_in = |folders: &[String], span: &str| folders.iter().any(|folder| span.starts_with(folder));
    let (mut paths, mut missing) = (0, Vec::new());
    for document in documents() {
        let text = prose(&text_of(&document));
        for span in text.split('`').skip(1).step_by(2) {
            let is_pattern = span.split(['/', '.']).any(|part| part.len() > 1 && part == part.to_uppercase());
            let path = match span {
                _ if is_pattern || span.contains([' ', '\n']) => continue,
                _ if is_in(&FOLDERS.map(str::to_owned), span) => root().join(span),
                _ if is_in(&in_src, span) => root().join("src").join(span),
                _ => continue,
            };
            paths += 1;
            if !path.exists() {
                missing.push(format!("{}: {span}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(paths > 60, "{paths} paths");
}

/// A line of the map is `NAME NAME …  what it is`, indented by two more than the folder it is in.
#[test]
fn every_file_of_the_map_exists() {
    let text = text_of(Path::new("ARCHITECTURE.md"));
    let (_, map) = text.split_once("```text\nsrc/").expect("a map");
    let (map, _) = map.split_once("\n```").unwrap();
    let mut folders = vec![root(), root().join("src")];
    let (mut files, mut missing) = (0, Vec::<PathBuf>::new());
    for line in map.lines().skip(1) {
        let depth = (line.len() - line.trim_start().len()) / 2;
        folders.truncate(depth + 1);
        let names = line.trim_start().split("  ").next().unwrap();
        for name in names.split(' ') {
            let path = folders[depth].join(name);
            files += 1;
            if !path.exists() || path.is_dir() != name.ends_with('/') {
                missing.push(path.clone());
            }
            if name.ends_with('/') && folders.len() == depth + 1 {
                folders.push(path);
            }
        }
    }
    assert!(missing.is_empty(), "the map of ARCHITECTURE.md names: {missing:#?}");
    assert!(files > 60, "{files} files");
}

/// The whole source of the program.
fn source(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| if path.is_dir() { source(&path) } else { fs::read_to_string(path).unwrap() };
    entries.map(of).collect()
}

/// A comment that sends its reader to a document sends them to one that exists.
#[test]
fn every_document_that_the_source_names_exists() {
    let source = source(&root().join("src"));
    let is_in_path = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let words = source.split(|c| !is_in_path(c));
    let named: BTreeSet<_> =
        words.filter(|word| word.starts_with("docs/") && word.ends_with(".md")).collect();
    let missing: Vec<_> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named.len() > 1, "{named:?}");
}

/// Words in a code span shortly after the word `log` are a log message, which operators search for.
#[test]
fn every_log_message_in_a_document_is_in_the_source() {
    let (source, mut messages) = (source(&root().join("src")), 0);
    for document in documents() {
        let text = prose(&text_of(&document)).split_whitespace().collect::<Vec<_>>().join(" ");
        let spans: Vec<_> = text.split('`').collect();
        for pair in spans.chunks_exact(2) {
            let (before, span) = (pair[0], pair[1]);
            let is_words =
                span.contains(' ') && span.chars().all(|c| c.is_ascii_lowercase() || " :-".contains(c));
            let near: String = before.chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
            if is_words
                && near.split(|c: char| !c.is_alphabetic()).any(|word| ["log", "logs"].contains(&word))
            {
                assert!(source.contains(span), "{}: no such log message: {span}", document.display());
                messages += 1;
            }
        }
    }
    assert!(messages >= 5, "{messages} messages");
}
