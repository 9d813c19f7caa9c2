//! Prints an object with a secret that is shown only once.

use serde_json::{Map, Value};

use crate::cli::admin::Failure;
use crate::cli::output::note;
use crate::cli::show::{Output, describe};

/// Prints the secret, the member of this name, alone on standard output, so that a script can take it, and the rest beside
/// it, with these members first.
pub(super) fn print_secret(
    output: Output,
    object: &Value,
    name: &str,
    first: &[&str],
) -> Result<(), Failure> {
    output.print(object, |object| object[name].as_str().unwrap_or_default().to_owned())?;
    if output == Output::Text {
        let mut shown = object.as_object().cloned().unwrap_or_else(Map::new);
        shown.remove(name);
        note(&describe(&shown.into(), first));
        let what = if name == "token" { "token string" } else { "login token" };
        note(&format!("The {what} on standard output is a secret. It is shown only this once."));
    }
    Ok(())
}
