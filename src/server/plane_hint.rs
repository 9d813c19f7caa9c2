//! The hint of a 404: whether the path belongs to the other plane, a frequent mistake of callers.

/// The first segments of the validation plane's own paths.
const VALIDATION: &[&str] = &["auth", "auth-optional", "check", "session", "logout"];
/// The first segments of the admin plane's own paths.
const ADMIN: &[&str] =
    &["v1", "introspect", "revoke", "metrics", "openapi.json", "openapi-validation.json", "console"];

/// The body of a 404 of the validation plane: the hint, or nothing.
pub fn not_found_on_validation(path: &str) -> Option<&'static str> {
    let hint = "not found: the path belongs to the admin plane, at the address of the setting admin-listen\n";
    is_below_one_of(path, ADMIN).then_some(hint)
}

/// Describes a 404 of the admin plane for a path that it does not have.
pub fn not_found_on_admin(path: &str) -> &'static str {
    if is_below_one_of(path, VALIDATION) {
        "the path belongs to the validation plane, at the address of the setting listen"
    } else {
        "the path does not exist"
    }
}

fn is_below_one_of(path: &str, segments: &[&str]) -> bool {
    path.strip_prefix('/')
        .and_then(|rest| rest.split('/').next())
        .is_some_and(|first| segments.contains(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_other_plane_get_the_hint() {
        for path in ["/auth", "/auth/x", "/check/staff", "/session", "/logout"] {
            assert!(not_found_on_admin(path).contains("setting listen"), "{path}");
        }
        for path in ["/v1/tokens", "/introspect", "/revoke", "/metrics", "/openapi.json", "/console/"] {
            assert!(not_found_on_validation(path).is_some(), "{path}");
        }
        for path in ["", "/", "*", "/authx", "//auth", "/v2", "/favicon.ico"] {
            assert!(!not_found_on_admin(path).contains("plane"), "{path}");
            assert_eq!(not_found_on_validation(path), None, "{path}");
        }
    }
}
