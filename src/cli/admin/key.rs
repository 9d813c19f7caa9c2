//! The API key of the commands: from a file or a variable. It has no flag, because process lists show flags.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hyper::header::HeaderValue;

use super::environment::Environment;
use crate::cli::output::warn;
use crate::config::Mistake;
use crate::config::parse::api_keys::api_key_text;
use crate::files::read_bounded;

const VARIABLE: &str = "DOORWARD_ADMIN_KEY";
const FILE_VARIABLE: &str = "DOORWARD_ADMIN_KEY_FILE";
/// The permissions of group and others.
const SHARED_MODE: u32 = 0o077;

/// An API key, and where it is from.
pub struct AdminKey {
    /// `Bearer KEY`, marked as sensitive.
    pub(super) header: HeaderValue,
    /// Names the source in errors.
    pub(super) source: String,
}

impl AdminKey {
    /// Loads the key. The flag beats the variables.
    ///
    /// # Errors
    /// If there is no key, or its text cannot be one. The mistake does not repeat the text.
    pub(super) fn load(flag: Option<&Path>, env: &Environment) -> Result<Self, Mistake> {
        if let Some(path) = flag {
            return Self::from_file(path, "--admin-key-file");
        }
        match (env.text(VARIABLE)?, env.text(FILE_VARIABLE)?) {
            (Some(text), None) => Self::from_text(text, VARIABLE, VARIABLE.into()),
            (None, Some(path)) => Self::from_file(Path::new(path), FILE_VARIABLE),
            (Some(_), Some(_)) => {
                let origin = format!("{VARIABLE} and {FILE_VARIABLE}");
                Err(Mistake::new("admin-key", origin, "both are set: keep one"))
            }
            (None, None) => Err(Mistake::new(
                "admin-key",
                format!("--admin-key-file, {VARIABLE} or {FILE_VARIABLE}"),
                "is missing: the admin plane answers no call without an API key",
            )),
        }
    }

    /// Mistakes do not repeat the path: an operator may have written the key itself in its place.
    fn from_file(path: &Path, origin: &str) -> Result<Self, Mistake> {
        let unreadable = |problem: String| {
            Mistake::new("admin-key", origin, format!("cannot read the file it names: {problem}"))
        };
        let bytes = read_bounded(path).map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".into()))?;
        let key = Self::from_text(&text, origin, format!("the file {} ({origin})", path.display()))?;
        let mode = std::fs::metadata(path).map_or(0, |file| file.permissions().mode());
        if mode & SHARED_MODE != 0 {
            let shown = path.display();
            warn(&format!(
                "key file readable by others: path={shown} mode={:03o} fix=\"chmod 600 {shown}\"",
                mode & 0o777
            ));
        }
        Ok(key)
    }

    fn from_text(text: &str, origin: &str, source: String) -> Result<Self, Mistake> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\r', '\n']);
        let problem = |problem: String| Mistake::new("admin-key", origin, format!("the key {problem}"));
        let key = api_key_text(text).map_err(problem)?;
        let mut header = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| problem("cannot be sent in a header".into()))?;
        header.set_sensitive(true);
        Ok(Self { header, source })
    }
}
