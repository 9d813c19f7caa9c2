//! `doorward hash-key`.

use std::io::{self, Read as _};
use std::process::ExitCode;

use crate::cli::output::{FAILURE, fail, print};
use crate::config::{LoadError, hash_key};

/// An API key has at most 256 characters.
const MAX_INPUT_BYTES: u64 = 4096;

/// Reads a key from standard input and prints its hash.
pub(crate) fn run() -> ExitCode {
    let mut text = String::new();
    if let Err(error) = io::stdin().lock().take(MAX_INPUT_BYTES).read_to_string(&mut text) {
        return fail(&error, FAILURE);
    }
    match hash_key(&text) {
        Ok(hash) => print(&hash),
        Err(error) => fail(&error, LoadError::EXIT_CODE),
    }
}
