//! The texts that the sources gave for the settings, and where each was given.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::mistake::Mistake;
use super::setting::Setting;

/// The text of a setting and where it was given.
#[derive(Clone, Debug)]
pub(crate) struct GivenText {
    pub(crate) text: String,
    /// The flag, the variable, or the key and its file.
    pub(crate) origin: String,
    /// The text is the path of a file that holds the value.
    pub(crate) is_path: bool,
}

/// The texts of one or more sources, by the setting's name.
pub(crate) type GivenTexts = BTreeMap<&'static str, GivenText>;

/// For each given setting, the text of the strongest source that gives it.
#[derive(Default)]
pub(crate) struct MergedTexts {
    texts: GivenTexts,
    files: Vec<ValueFile>,
}

/// A setting and the file that its value was read from.
pub(crate) type ValueFile = (&'static str, PathBuf);

impl MergedTexts {
    /// Wraps texts of which none is a path any more, and the files that some of them were read from.
    pub(crate) fn new(texts: GivenTexts, files: Vec<ValueFile>) -> Self {
        Self { texts, files }
    }

    /// Returns the settings whose values were read from files of their own, and these files.
    pub(crate) fn files(&self) -> &[ValueFile] {
        &self.files
    }

    /// Returns the given text, or the default.
    pub(crate) fn text(&self, setting: &Setting) -> &str {
        self.texts.get(setting.name).map_or(setting.default, |given| &given.text)
    }

    /// Returns where the setting was given, or "default".
    pub(crate) fn origin(&self, name: &str) -> &str {
        self.texts.get(name).map_or("default", |given| &given.origin)
    }

    /// Returns whether the setting was given a text that is not empty.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.texts.get(name).is_some_and(|given| !given.text.is_empty())
    }
}

/// Returns the value, or else the path of its file. If one source gives both, that is a mistake: the intent is unclear.
pub(crate) fn value_or_path(
    setting: &Setting,
    value: Option<GivenText>,
    path: Option<GivenText>,
    mistakes: &mut Vec<Mistake>,
) -> Option<GivenText> {
    if let (Some(value), Some(path)) = (&value, &path) {
        let origin = format!("{} and {}", value.origin, path.origin);
        mistakes.push(Mistake::new(setting.name, origin, "both are set: keep one"));
    }
    value.or(path)
}
