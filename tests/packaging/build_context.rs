//! .dockerignore lets into the image's build what the program is built of, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The patterns that .dockerignore lets in. They are simple: a path, or a folder and the end of its files' names.
fn patterns() -> Vec<String> {
    let text = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "an allow-list begins by leaving everything out");
    lines[1..].iter().map(|line| line.strip_prefix('!').expect(line).to_owned()).collect()
}

fn is_let_in(path: &Path, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| match pattern.split_once('*') {
        Some((folder, end)) => {
            path.parent() == Some(Path::new(folder)) && path.to_str().unwrap().ends_with(end)
        }
        None => path.starts_with(pattern),
    })
}

/// The files below a folder, by their paths from the root.
fn files_below(folder: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        let path = Path::new(folder).join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(path.to_str().unwrap()));
        } else {
            found.insert(path);
        }
    }
    found
}

/// The files outside src that the program includes.
fn included() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for source in
        files_below("src").into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"))
    {
        let text = fs::read_to_string(root().join(&source)).unwrap();
        // Tests are not part of the image.
        let text = text.split("#[cfg(test)]").next().unwrap();
        let is_test =
            source.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
        for included in text.split("include_str!(\"").skip(1).filter(|_| !is_test) {
            let named = source.parent().unwrap().join(included.split('"').next().unwrap());
            let path = root().join(named).canonicalize().unwrap();
            found.insert(path.strip_prefix(root().canonicalize().unwrap()).unwrap().to_owned());
        }
    }
    found
}

#[test]
fn the_build_context_has_what_the_program_is_built_of() {
    let patterns = patterns();
    let included = included();
    assert!(!included.is_empty());
    for path in &included {
        assert!(is_let_in(path, &patterns), ".dockerignore leaves {} out", path.display());
    }
    let copied: BTreeSet<PathBuf> = fs::read_to_string(root().join("Dockerfile"))
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("COPY ") && !line.contains("--from"))
        .flat_map(|line| {
            line.split(' ').filter(|word| word.starts_with("config/")).map(PathBuf::from).collect::<Vec<_>>()
        })
        .collect();
    for path in &copied {
        assert!(is_let_in(path, &patterns), ".dockerignore leaves {} out", path.display());
    }
    // Nothing is let in for no reason.
    for pattern in
        patterns.iter().filter(|pattern| pattern.starts_with("docs/") || pattern.starts_with("config/"))
    {
        let path = PathBuf::from(pattern);
        assert!(included.contains(&path) || copied.contains(&path), "nothing reads {pattern}");
    }
}

#[test]
fn cargo_understands_the_build_context() {
    let patterns = patterns();
    let context = tempfile::tempdir().unwrap();
    for folder in ["src", "benches", "clients/rust", "docs", "config"] {
        for path in files_below(folder).iter().filter(|path| is_let_in(path, &patterns)) {
            let copy = context.path().join(path);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(root().join(path), copy).unwrap();
        }
    }
    for name in ["Cargo.toml", "Cargo.lock"] {
        assert!(is_let_in(Path::new(name), &patterns));
        fs::copy(root().join(name), context.path().join(name)).unwrap();
    }
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"])
        .current_dir(context.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
