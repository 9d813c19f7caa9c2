//! `doorward import`, and other clients of the admin plane.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::server::{ADMIN_KEY, Server, binary, command};

/// The outcomes of the records of one pass.
#[derive(Debug, Default)]
pub struct Imported {
    pub imported: usize,
    pub exists: usize,
}

impl Imported {
    pub fn records(&self) -> usize {
        self.imported + self.exists
    }
}

/// Imports a file. Panics if a line is skipped.
pub fn import(doorward: &Server, format: &str, file: &Path) -> Imported {
    let output = admin_settings(command(binary(), &[]), doorward)
        .args(["import", "--json", "--format", format])
        .stdin(File::open(file).unwrap())
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    println!("{format}: {file:?}: {summary} {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", doorward.log());
    let count = |name: &str| summary[name].as_u64().unwrap_or_default() as usize;
    Imported { imported: count("imported"), exists: count("exists") }
}

/// Gives a client of the admin plane its variables.
pub fn admin_settings(mut command: Command, doorward: &Server) -> Command {
    command.env("DOORWARD_ADMIN_URL", format!("http://{}", doorward.admin_listen()));
    command.env("DOORWARD_ADMIN_KEY", ADMIN_KEY);
    command
}
