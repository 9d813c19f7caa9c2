//! Route checks: `NAME:KEY=VALUE+KEY=VALUE`. A character of this syntax is percent-encoded in a value. A key that may have
//! several values is given several times.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;

use super::duration::duration_ms;
use super::list::parse_items;
use super::scalar::{Parsed, boolean, is_word};
use crate::model::field_rules as rules;
use crate::model::route_check::RouteCheck;

const MAX_CHECKS: usize = 100;
const MAX_NAME_CHARS: usize = 50;
/// The keys that may have several values.
const SEVERAL: [&str; 3] = ["backend", "slug", "scopes"];

/// Parses route checks, each with its own name.
pub(crate) fn route_checks(text: &str) -> Parsed<Vec<RouteCheck>> {
    let checks = parse_items(text, MAX_CHECKS, "check", route_check)?;
    let mut names = HashSet::new();
    match checks.iter().find(|check| !names.insert(&check.name)) {
        Some(repeated) => Err(format!("has the name {} twice", repeated.name)),
        None => Ok(checks),
    }
}

fn route_check(item: &str) -> Parsed<RouteCheck> {
    let (name, demands) = item.split_once(':').unwrap_or((item, ""));
    if !(1..=MAX_NAME_CHARS).contains(&name.len()) || !is_word(name) {
        return Err("its name is not 1 to 50 of A-Z a-z 0-9 _ -".into());
    }
    let mut check = RouteCheck::named(name);
    let mut keys = HashSet::new();
    for pair in demands.split('+').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("it is not NAME:KEY=VALUE+KEY=VALUE")?;
        let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("its {key} is not UTF-8"))?;
        set_demand(&mut check, key, &value).map_err(|problem| format!("its {key} {problem}"))?;
        if !keys.insert(key) && !SEVERAL.contains(&key) {
            return Err(format!("it has {key} twice"));
        }
    }
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
