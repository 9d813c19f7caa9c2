//! docs/django-auth-token.md: each behaviour of the package has a test here, or a reason why not.

use std::fs;
use std::path::Path;

/// The tests in utils, is_core, models, rest_framework and middleware of skip-django-auth-token 0.7.2. One more in
/// utils has the name of another and never runs.
const BEHAVIOURS: usize = 71 + 19 + 9 + 7 + 1;

const REASONS: [&str; 2] = ["left out: ", "not needed: "];

#[test]
fn each_behaviour_has_a_test_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/django-auth-token.md")).unwrap();
    let (_, tables) = text.split_once("\n## Behaviours\n").expect("the section");
    let rows: Vec<Vec<&str>> = tables
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), BEHAVIOURS);
    for row in rows {
        let [behaviour, call, shown_by] = row[..] else { panic!("{row:?}") };
        let tests: Vec<_> = shown_by.split('`').filter(|span| span.contains("::")).collect();
        let has_reason = REASONS.iter().any(|reason| call.starts_with(reason));
        assert!(tests.is_empty() == has_reason, "{behaviour} needs a test or a reason");
        for test in tests {
            assert!(exists(root, test), "{behaviour}: no such test: {test}");
        }
    }
}

/// Whether a test exists, named by its file and its function.
fn exists(root: &Path, test: &str) -> bool {
    let (file, function) = test.split_once("::").unwrap();
    let (folder, keyword) =
        if file.ends_with(".py") { ("clients/python/tests", "def") } else { ("tests", "fn") };
    let text = fs::read_to_string(root.join(folder).join(file)).unwrap_or_default();
    text.contains(&format!("\n{keyword} {function}("))
}
