//! The console in Chromium against real nodes on a real Redis: tests/console/cases. scripts/setup installs what it needs.

use crate::common::program::npm_run;

const FOLDER: &str = "tests/console";

#[test]
fn the_console_works_in_a_browser() {
    npm_run(FOLDER, "test");
}

#[test]
fn the_console_is_formatted() {
    npm_run(FOLDER, "lint");
}
