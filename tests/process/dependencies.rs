//! The dependencies, checked against deny.toml and the minimum Rust version without cargo-deny.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// Reads a list of deny.toml; a table in it counts as its `crate`.
fn list(section: &str, key: &str) -> Vec<String> {
    let rules = DeTable::parse(include_str!("../../deny.toml")).unwrap().into_inner();
    let items = rules[section].get_ref()[key].get_ref().as_array().unwrap().clone();
    let text = |item: &DeValue<'_>| match item {
        DeValue::Table(table) => table["crate"].get_ref().as_str().unwrap().to_owned(),
        item => item.as_str().unwrap().to_owned(),
    };
    items.iter().map(|item| text(item.get_ref())).collect()
}

/// Returns all packages of Cargo.lock that are used on the platforms of deny.toml.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--format-version", "1"]);
    cargo.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    cargo.args(list("graph", "targets").iter().flat_map(|target| ["--filter-platform", target]));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

/// Returns whether some choice of the licence expression uses allowed licences only. Also reads the old form `A/B`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let choices = expression.replace('/', " OR ");
    choices.split(" AND ").all(|part| {
        let part = part.trim_matches(['(', ')']);
        part.split(" OR ").any(|licence| allowed.iter().any(|allowed| allowed == licence.trim()))
    })
}

#[test]
fn licences_are_allowed() {
    let allowed = list("licenses", "allow");
    for package in packages() {
        let licence = text(&package, "license");
        assert!(is_allowed(licence, &allowed), "{} has the licence {licence:?}", text(&package, "name"));
    }
    for refused in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "(GPL-3.0-only OR LGPL-3.0-only) AND MIT", ""] {
        assert!(!is_allowed(refused, &allowed), "{refused}");
    }
}

#[test]
fn every_crate_has_one_version_except_the_listed_ones() {
    let skipped = list("bans", "skip");
    let is_skipped = |name: &str, version: &str| {
        skipped.iter().any(|skip| {
            let (crate_name, start) = skip.split_once('@').unwrap();
            crate_name == name && version.starts_with(&format!("{start}."))
        })
    };
    let mut versions = BTreeMap::<_, Vec<_>>::new();
    let packages = packages();
    for package in &packages {
        let (name, version) = (text(package, "name"), text(package, "version"));
        if !is_skipped(name, version) {
            versions.entry(name).or_default().push(version);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert_eq!(versions, BTreeMap::new(), "see bans in deny.toml");
}

#[test]
fn all_dependencies_come_from_one_registry() {
    let packages = packages();
    // The members of the workspace have no source.
    let dependencies = packages.iter().filter(|package| !package["source"].is_null());
    let sources: BTreeSet<_> = dependencies.map(|package| text(package, "source")).collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
}

#[test]
fn dependencies_support_the_minimum_rust_version() {
    let own = env!("CARGO_PKG_RUST_VERSION");
    let number =
        |version: &str| -> Vec<u32> { version.split('.').map(|part| part.parse().unwrap()).collect() };
    for package in packages() {
        let Some(needed) = package["rust_version"].as_str() else { continue };
        let (name, own) = (text(&package, "name"), number(own));
        let needed = number(needed);
        assert!(needed[..2] <= own[..2], "{name} needs Rust {needed:?}, Cargo.toml promises {own:?}");
    }
}
