//! A setting as it was given: the text and where it stood.

use super::mistake::Mistake;
use super::settings::Setting;
use std::collections::BTreeMap;

/// A text and where it was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) origin: String,
    /// Whether the text is the path of a file with the value.
    pub(crate) is_path: bool,
}

/// What was given, by setting.
pub(crate) type Source = BTreeMap<&'static str, Given>;

/// The value or the path of its file; both at once is a mistake, as no one can tell which is meant.
pub(crate) fn either(
    setting: &Setting,
    direct: Option<Given>,
    path: Option<Given>,
    mistakes: &mut Vec<Mistake>,
) -> Option<Given> {
    if let (Some(direct), Some(path)) = (&direct, &path) {
        let origin = format!("{} and {}", direct.origin, path.origin);
        mistakes.push(Mistake::new(setting.name, origin, "both are set: keep one"));
    }
    direct.or(path)
}
