//! Suggestions for misspelled names.

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
