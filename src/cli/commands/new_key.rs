//! `doorward new-key`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::admin::Failure;
use crate::cli::show::{Output, text};
use crate::config::hash_key;
use crate::config::parse::api_keys::api_keys;
use crate::entropy::Entropy;

/// 43 characters of base64url.
const KEY_BYTES: usize = 32;
/// Only the owner may read a key's file.
const KEY_FILE_MODE: u32 = 0o600;

/// The key to make.
#[derive(Debug, Args)]
pub struct NewKey {
    /// Name of the API key in logs and metrics
    #[arg(long, value_name = "NAME", requires = "scopes")]
    name: Option<String>,
    /// Scopes of the API key: all, or some of tokens, takeovers, devices, introspect, metrics, events and import, with +
    /// between
    #[arg(long, value_name = "SCOPE+SCOPE", requires = "name")]
    scopes: Option<String>,
    /// Time from which the API key is refused, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", requires = "name")]
    expires: Option<String>,
    /// Make a key for token-keys, which has no name and no hash
    #[arg(long, conflicts_with_all = ["name", "scopes"])]
    token_key: bool,
    /// Write the key to a new file that only its owner may read, instead of printing it
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Makes a key and prints it.
pub(crate) fn run(new: &NewKey, entropy: &Entropy) -> ExitCode {
    let output = if new.json { Output::Json } else { Output::Text };
    match make(new, entropy).and_then(|key| output.print(&key, lines)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(new.json),
    }
}

fn make(new: &NewKey, entropy: &Entropy) -> Result<Value, Failure> {
    let bytes =
        entropy.bytes::<KEY_BYTES>().map_err(|error| Failure::local(format!("no randomness: {error}")))?;
    let key = URL_SAFE_NO_PAD.encode(bytes);
    let mut shown = json!({});
    if !new.token_key {
        let hash = hash_key(&key).map_err(Failure::local)?;
        if let (Some(name), Some(scopes)) = (&new.name, &new.scopes) {
            let expires = new.expires.as_ref().map_or(String::new(), |time| format!(":expires={time}"));
            let line = format!("{name}:{scopes}:{hash}{expires}");
            api_keys(&line).map_err(|problem| Failure::usage("new-key", &problem))?;
            shown["api_keys"] = line.into();
        } else {
            shown["hash"] = hash.into();
        }
    }
    match &new.key_file {
        Some(path) => {
            let problem =
                |error| Failure::local(format!("key file not written: {}: {error}", path.display()));
            write_new(path, &key).map_err(problem)?;
            shown["key_file"] = path.display().to_string().into();
        }
        None => shown["key"] = key.into(),
    }
    Ok(shown)
}

/// Writes the key to a file that does not exist yet.
fn write_new(path: &Path, key: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(KEY_FILE_MODE).open(path)?;
    writeln!(file, "{key}")
}

/// The key in the first line, then what the settings need.
fn lines(shown: &Value) -> String {
    let names = ["key", "key_file", "hash", "api_keys"];
    let lines = names.iter().filter(|name| shown.get(**name).is_some());
    lines
        .map(|name| format!("{:9} {}", name.replace('_', "-"), text(&shown[*name])))
        .collect::<Vec<_>>()
        .join("\n")
}
