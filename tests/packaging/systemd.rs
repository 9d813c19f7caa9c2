//! The unit as this machine's systemd reads it. scripts/package-test starts it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::server::binary;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs `systemd-analyze`, which must succeed. Returns its standard output.
fn analyze(args: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new("systemd-analyze")
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("systemd-analyze: {error}; scripts/setup installs it"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{args:?}: {stdout}{stderr}");
    stdout.into_owned()
}

/// The unit of a package for a Debian release.
fn unit_of(suite: &str) -> String {
    let script = Path::new(ROOT).join("packaging/systemd/unit");
    let output = Command::new(script).arg(suite).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn systemd_understands_the_unit_and_finds_it_safe() {
    let version = analyze(&["--version"]);
    let version: u32 = version.split(' ').nth(1).unwrap().parse().unwrap();
    // notify-reload came with 253.
    let unit = unit_of(if version < 253 { "bookworm" } else { "trixie" });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("doorward.service");
    fs::write(&path, unit.replace("/usr/bin/doorward", binary().to_str().unwrap())).unwrap();
    let path = path.to_str().unwrap();
    analyze(&["verify", "--man=no", path]);
    // 15 is an exposure of 1.5 of 10.
    analyze(&["security", "--offline=yes", "--threshold=15", path]);
}

/// Debian 12's systemd does not know notify-reload.
#[test]
fn each_release_has_a_reload() {
    let of_type = |unit: &str| {
        let lines = unit.lines().filter(|line| line.starts_with("Type=") || line.starts_with("ExecReload="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of_type(&unit_of("trixie")), ["Type=notify-reload"]);
    assert_eq!(
        of_type(&unit_of("bookworm")),
        ["Type=notify", "ExecReload=/bin/sh -c 'kill -HUP ${MAINPID}'"]
    );
}
