//! Route checks.

use super::duration::duration_ms;
use super::scalar::{Parsed, boolean};
use super::tables::{parse_tables, set_each, table_name};
use crate::model::field_rules as rules;
use crate::model::route_check::RouteCheck;

const MAX_CHECKS: usize = 100;
/// The keys that may have several values.
const SEVERAL: [&str; 3] = ["backend", "slug", "scopes"];

/// Parses route checks, each with its own name.
pub(crate) fn route_checks(text: &str) -> Parsed<Vec<RouteCheck>> {
    parse_tables(text, MAX_CHECKS, "check", route_check, |check| &check.name)
}

fn route_check(item: &str) -> Parsed<RouteCheck> {
    let mut check = RouteCheck::named(table_name(item)?);
    set_each(item, &SEVERAL, |key, value| set_demand(&mut check, key, value))?;
    Ok(check)
}

fn set_demand(check: &mut RouteCheck, key: &str, value: &str) -> Parsed<()> {
    match key {
        "backend" => rules::backend(value).map(|()| check.backends.push(value.into())),
        "slug" => rules::auth_slug(value).map(|()| check.slugs.push(value.into())),
        "scopes" => {
            let words = rules::scopes([value]).map_err(|(_, problem)| problem)?;
            check.scopes.push(words);
            Ok(())
        }
        "max-age" => duration_ms(rules::AGE_MS)(value).map(|ms| check.max_age_ms = Some(ms)),
        "renew" => boolean(value).map(|is| check.renew = is),
        "second-factor" => boolean(value).map(|is| check.second_factor = is),
        "anonymous" => boolean(value).map(|is| check.anonymous = is),
        _ => Err("is none of backend, slug, scopes, max-age, renew, second-factor and anonymous".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_a_name_and_demands() {
        let staff = RouteCheck {
            backends: vec!["a+b,c=d".into(), "e".into()],
            slugs: vec!["web".into()],
            scopes: vec!["read".into(), "write".into()],
            max_age_ms: Some(600_000),
            renew: false,
            second_factor: true,
            ..RouteCheck::named("staff")
        };
        let text = "staff:backend=a%2Bb%2Cc=d+backend=e+slug=web+scopes=read+scopes=write+max-age=10m+renew=false\
                    +second-factor=true, any, p:anonymous=true";
        let any = RouteCheck::named("any");
        let public = RouteCheck { anonymous: true, ..RouteCheck::named("p") };
        assert_eq!(route_checks(text), Ok(vec![staff, any, public]));
        assert_eq!(route_checks(" "), Ok(vec![]));
    }

    #[test]
    fn a_malformed_check_is_reported_with_its_number() {
        for (text, told) in [
            ("a b:slug=x", "its check 1: its name is not"),
            ("ok,:slug=x", "its check 2: its name is not"),
            ("a:slug", "it is not NAME:KEY=VALUE"),
            ("a:slug=", "its slug must be 1 to 50"),
            ("a:renew=true+renew=true", "it has renew twice"),
            ("a:scopes=a b", "its scopes must be 1 to"),
            ("a:max-age=soon", "its max-age"),
            ("a:backend=-", "its backend must not be"),
            ("a:backend=%ff", "its backend is not UTF-8"),
            ("a:second-factor=yes", "its second-factor is neither true nor false"),
            ("a:bakend=x", "its bakend is none of"),
            ("a,b,a", "has the name a twice"),
            (&"a,".repeat(101), "more than 100 checks"),
        ] {
            let problem = route_checks(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
