//! The paths of auth subrequests. They are compared as they arrive, never normalised.

use crate::request_check::admission::Admission;
use crate::request_check::settings::RouteChecks;

/// Returns what an auth subrequest to this path demands, or `None` for another path or an unknown route check.
pub(super) fn admission(checks: &RouteChecks, path: &str) -> Option<Admission> {
    if is_or_below(path, "/auth") {
        return Some(Admission::REQUIRED);
    }
    if is_or_below(path, "/auth-optional") {
        return Some(Admission::OPTIONAL);
    }
    let name = path.strip_prefix("/check/")?.split('/').next()?;
    checks.get(name).map(Admission::of_check)
}

/// The paths of the validation plane, besides the probes and the route checks; a longer one before its beginning.
const BASES: [&str; 5] = ["/auth", "/auth-optional", "/session/upgrade", "/session", "/logout"];
const ROUTE_CHECK: &str = "/check/{name}";

/// Returns the pattern of a path of the validation plane: it names the route without anything that a client chose.
pub(super) fn pattern(path: &str) -> Option<&'static str> {
    let base = BASES.into_iter().find(|base| is_or_below(path, base));
    base.or_else(|| path.starts_with("/check/").then_some(ROUTE_CHECK))
}

fn is_or_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BASES, ROUTE_CHECK, is_or_below};

    #[test]
    fn the_openapi_document_lists_these_paths() {
        let document = include_str!("../../../docs/openapi-validation.json");
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        let documented: BTreeSet<_> =
            document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            documented,
            [&BASES[..], &[ROUTE_CHECK, "/livez", "/readyz"]].concat().into_iter().collect()
        );
    }

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
