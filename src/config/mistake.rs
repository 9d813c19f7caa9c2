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
