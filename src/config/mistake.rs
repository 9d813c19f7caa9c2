//! Mistakes in the settings.

use std::fmt;

/// One mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting's name, or the unknown name.
    pub name: String,
    /// Where it was given.
    pub origin: String,
    /// The problem, as the rest of a sentence. Never contains a secret.
    pub problem: String,
}

impl Mistake {
    pub(crate) fn new(
        name: impl Into<String>,
        origin: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), origin: origin.into(), problem: problem.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.origin, self.problem)
    }
}

/// All mistakes in the settings. `Display` shows one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The mistakes, at least one.
    pub mistakes: Vec<Mistake>,
}

impl LoadError {
    /// The exit code of the process: `EX_CONFIG` of sysexits.h.
    pub const EXIT_CODE: u8 = 78;
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.mistakes.iter().map(Mistake::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for LoadError {}

/// Returns a text in quotes for a message. A long text is cut; control characters are escaped.
pub(crate) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut start: String = text.chars().take(MAX_CHARS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

/// No name of a setting is longer. Bounds the cost of the comparison, which is quadratic.
const MAX_NAME_BYTES: usize = 64;
/// The least Jaro similarity of a suggestion.
const MIN_SIMILARITY: f64 = 0.85;

/// Returns a "did you mean" suffix with the most similar candidate, or an empty string.
pub(crate) fn did_you_mean(name: &str, candidates: impl IntoIterator<Item = String>) -> String {
    if name.len() > MAX_NAME_BYTES {
        return String::new();
    }
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro(name, &candidate), candidate))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!(" (did you mean {candidate}?)"))
        .unwrap_or_default()
}
