//! The environment variables of the process, for commands without the settings of a server.

use std::collections::HashMap;
use std::ffi::OsString;

use crate::config::Mistake;
use crate::config::setting::VARIABLE_PREFIX;

/// The variables of Doorward. Variables of the server are among them and are ignored.
#[derive(Default)]
pub struct Environment(HashMap<OsString, OsString>);

impl Environment {
    /// Keeps Doorward's variables. An empty one counts as unset, as in the settings of a server.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let is_own = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with(VARIABLE_PREFIX));
        let own = variables.into_iter().filter(|(name, value)| is_own(name) && !value.is_empty());
        Self(own.collect())
    }

    /// Returns a variable.
    ///
    /// # Errors
    /// If its value is not UTF-8.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Mistake> {
        let Some(value) = self.0.get(&OsString::from(name)) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text)),
            None => Err(Mistake::new(name, "environment", "the value is not UTF-8")),
        }
    }
}
