//! The Helm chart: rendered by Helm's own code, compared with the schemas of Kubernetes. scripts/setup installs both.

use std::process::Command;

use crate::common::program::{in_repository, run_well};
use crate::process::outcome::outcome;

#[test]
fn the_chart_renders_to_valid_resources_and_settings() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("doorward.toml");
    let mut python = Command::new(in_repository("target/kubernetes/bin/python"));
    python.args(["-B", "tests/packaging/check_chart.py"]).arg(&settings).current_dir(in_repository(""));
    run_well(&mut python);

    let (code, _, stderr) = outcome(
        &["check-config", "--config", settings.to_str().unwrap()],
        &[("DOORWARD_REDIS_URL", "redis://redis:6379")],
    );
    assert_eq!(code, 0, "{stderr}");
}
