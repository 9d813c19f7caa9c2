//! The binary `doorward`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Chosen by measurement: see benches/README.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    doorward::internals::cli::run(std::env::args_os(), std::env::vars_os())
}
