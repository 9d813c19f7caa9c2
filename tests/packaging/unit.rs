//! The systemd unit: what it names exists, and its limits fit the settings.

use std::fs;
use std::path::Path;

const UNIT: &str = include_str!("../../packaging/systemd/doorward.service");
const SETTINGS: &str = include_str!("../../config/doorward.toml");
const NOTES: &str = include_str!("../../packaging/debian/README.Debian");

/// The values of a key, in their order.
fn values(key: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_unit_names_settings_that_exist() {
    let variables: Vec<_> =
        values("Environment").into_iter().filter(|value| value.starts_with("DOORWARD_")).collect();
    assert_eq!(variables.len(), 2);
    for variable in variables {
        let (name, value) = variable.split_once('=').unwrap();
        let setting = name.strip_prefix("DOORWARD_").unwrap().strip_suffix("_FILE").unwrap();
        let setting = setting.to_ascii_lowercase().replace('_', "-");
        assert!(SETTINGS.contains(&format!("\n#{setting} = ")), "{setting}");
        // The file that the documents tell to write.
        let file = value.strip_prefix("%d/secrets_").unwrap();
        assert!(NOTES.contains(&format!("/etc/doorward/secrets/{file}")), "{file}");
    }
}

#[test]
fn the_limits_leave_room_for_the_defaults() {
    let files: u64 = values("LimitNOFILE")[0].parse().unwrap();
    // Three listeners of max-connections.
    assert!(SETTINGS.contains("\n#max-connections = 10000\n") && files >= 3 * 10_000 + 200);
    let stop: u64 = values("TimeoutStopSec")[0].parse().unwrap();
    assert!(SETTINGS.contains("\n#drain-timeout = \"8s\"\n") && stop > 8 + 2);
    assert_eq!(values("RestartPreventExitStatus"), ["78"]);
}

#[test]
fn the_package_names_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let assets = manifest.split("\nassets = [\n").nth(1).unwrap().split("\n]").next().unwrap();
    let sources: Vec<_> =
        assets.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split('"').next()).collect();
    assert!(sources.len() > 8, "{sources:?}");
    for source in sources.into_iter().filter(|source| !source.starts_with("target/")) {
        assert!(root.join(source.split('*').next().unwrap()).exists(), "{source}");
    }
    let changelog = fs::read_to_string(root.join("packaging/debian/changelog")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        changelog.starts_with(&format!("doorward ({version}-")),
        "no entry of {version} in the changelog"
    );
    let chart = fs::read_to_string(root.join("packaging/helm/doorward/Chart.yaml")).unwrap();
    assert!(chart.contains(&format!("\nappVersion: {version}\n")), "another appVersion");
}
