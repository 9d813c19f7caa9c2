//! Paths of the validation plane.

pub(crate) fn is_or_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::is_or_below;

    #[test]
    fn only_whole_segments_count() {
        assert!(is_or_below("/auth", "/auth"));
        assert!(is_or_below("/auth/", "/auth"));
        assert!(is_or_below("/auth/../logout", "/auth"));
        assert!(!is_or_below("/authx", "/auth"));
        assert!(!is_or_below("/auth-optional", "/auth"));
        assert!(!is_or_below("//auth", "/auth"));
    }
}
