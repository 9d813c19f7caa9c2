//! A short run of each fuzz target: the seeds in fuzz/seeds, then a fixed series of mutations of them.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Bytes with a meaning in the inputs of the targets.
const SPECIAL: &[u8] = b"\0\r\n \t:/?#[]@%+=,-*$'\"0129azAZ\x7f\xc3\xa9\xff";

/// Prints the input of a run that panics.
struct Input(Vec<u8>);

impl Drop for Input {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is b\"{}\"", self.0.escape_ascii());
        }
    }
}

/// Runs a target on its seeds and on `count` mutations of them.
fn run(target: &str, check: fn(&[u8]), count: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    let seeds: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    for seed in &seeds {
        check(&Input(seed.clone()).0);
    }
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..count {
        check(&Input(mutation(&seeds, &mut random)).0);
    }
}

/// Returns one of the seeds after a few changes.
fn mutation(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(..seeds.len())].clone();
    for _ in 0..=random.random::<u8>().trailing_ones() {
        let at = random.random_range(..=bytes.len());
        let end = random.random_range(at..=bytes.len().min(at + 8));
        match random.random_range(..5_u8) {
            0 => bytes.insert(at, SPECIAL[random.random_range(..SPECIAL.len())]),
            1 => bytes.insert(at, random.random()),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.extend_from_within(at..end),
            _ => {
                let other = &seeds[random.random_range(..seeds.len())];
                let from = random.random_range(..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[test]
fn fast_path() {
    run("fast_path", targets::fast_path::check, 10_000);
}

#[test]
fn foreign() {
    run("foreign", targets::foreign::check, 3_000);
}

#[test]
fn credentials() {
    run("credentials", targets::credentials::check, 20_000);
}

#[test]
fn token_string() {
    run("token_string", targets::token_string::check, 20_000);
}

#[test]
fn resp() {
    run("resp", targets::resp::check, 20_000);
}

#[test]
fn redis_url() {
    run("redis_url", targets::redis_url::check, 100_000);
}

#[test]
fn settings() {
    run("settings", targets::settings::check, 1_000);
}
