//! The Helm chart: rendered by Helm's own code, compared with the schemas of Kubernetes. scripts/setup installs both.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::outcome::outcome;

#[test]
fn the_chart_renders_to_valid_resources_and_settings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = root.join("target/kubernetes/bin/python");
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("doorward.toml");
    let output = Command::new(&python)
        .args(["-B", "tests/packaging/check_chart.py"])
        .arg(&settings)
        .current_dir(root)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; scripts/setup installs it", python.display()));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}{stderr}");

    let (code, _, stderr) = outcome(
        &["check-config", "--config", settings.to_str().unwrap()],
        &[("DOORWARD_REDIS_URL", "redis://redis:6379")],
    );
    assert_eq!(code, 0, "{stderr}");
}
