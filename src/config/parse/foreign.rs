//! The forms of foreign token strings.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::cookie::cookie_name;
use super::credentials::header_scheme;
use super::scalar::{Parsed, choice, number};
use super::tables::{parse_tables, set_each, table_name};
use crate::foreign::form::{MAX_CHARS, MIN_CHARS};
use crate::foreign::form_set::MAX_FORMS;
use crate::foreign::shape::{Characters, Shape};
use crate::foreign::{ForeignForm, Scheme};
use crate::values::HeaderScheme;
use crate::values::timestamp::parse_time;

/// The keys that may have several values.
const SEVERAL: [&str; 2] = ["header-scheme", "cookie"];
const MAX_PREFIX_CHARS: usize = 64;
/// The most places of each kind where one form may stand.
const MAX_PLACES: usize = 8;

/// The keys of one item.
#[derive(Default)]
struct ItemKeys {
    scheme: Option<Scheme>,
    header_schemes: Vec<HeaderScheme>,
    cookies: Vec<String>,
    prefix: Option<String>,
    length: Option<RangeInclusive<usize>>,
    characters: Option<Characters>,
    secret_file: Option<PathBuf>,
    until_ms: Option<u64>,
}

/// Parses forms, each with its own name. Their secrets are read later.
pub(crate) fn foreign_forms(text: &str) -> Parsed<Vec<ForeignForm>> {
    parse_tables(text, MAX_FORMS, "form", foreign_form, |form| &form.name)
}

fn foreign_form(item: &str) -> Parsed<ForeignForm> {
    let name = table_name(item)?;
    let mut keys = ItemKeys::default();
    set_each(item, &SEVERAL, |key, value| set_key(&mut keys, key, value))?;
    form_of(name, keys)
}

fn set_key(keys: &mut ItemKeys, key: &str, value: &str) -> Parsed<()> {
    match key {
        "scheme" => keys.scheme = Some(choice(&Scheme::CHOICES)(value)?),
        "header-scheme" => add_place(&mut keys.header_schemes, header_scheme(value)?)?,
        "cookie" => add_place(&mut keys.cookies, cookie_name(value)?)?,
        "prefix" => keys.prefix = Some(prefix(value)?),
        "length" => keys.length = Some(length(value)?),
        "characters" => keys.characters = Some(choice(&Characters::CHOICES)(value)?),
        "secret-file" if value.is_empty() => return Err("is empty".into()),
        "secret-file" => keys.secret_file = Some(PathBuf::from(value)),
        "until" => {
            let time = parse_time(value);
            let problem = "is not a date or a time such as 2027-01-31T12:00:00Z (RFC 3339)";
            keys.until_ms = Some(time.ok_or(problem)?);
        }
        _ => {
            let known = "scheme, header-scheme, cookie, prefix, length, characters, secret-file and until";
            return Err(format!("is none of {known}"));
        }
    }
    Ok(())
}

fn add_place<T: PartialEq>(places: &mut Vec<T>, place: T) -> Parsed<()> {
    if places.contains(&place) {
        return Err("is given twice with one value".into());
    }
    if places.len() == MAX_PLACES {
        return Err(format!("has more than {MAX_PLACES} values"));
    }
    places.push(place);
    Ok(())
}

fn prefix(text: &str) -> Parsed<String> {
    if text.len() <= MAX_PREFIX_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.into());
    }
    Err(format!("is not 0 to {MAX_PREFIX_CHARS} visible ASCII characters"))
}

/// Parses a length, `40`, or a range of lengths, `32-64`.
fn length(text: &str) -> Parsed<RangeInclusive<usize>> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let length = number(MIN_CHARS..=MAX_CHARS);
    match (length(least), length(most)) {
        (Ok(least), Ok(most)) if least <= most => Ok(least..=most),
        _ => Err(format!("is not a length such as 40 or 32-64, from {MIN_CHARS} to {MAX_CHARS}")),
    }
}

/// Makes the form of these keys, or refuses a key that its scheme does not use.
fn form_of(name: &str, keys: ItemKeys) -> Parsed<ForeignForm> {
    let ItemKeys { scheme, mut header_schemes, cookies, prefix, length, characters, secret_file, until_ms } =
        keys;
    let scheme = scheme.ok_or("it has no scheme")?;
    match (scheme.needs_secret(), &secret_file) {
        (true, None) => {
            return Err(format!("it has no secret-file, which {} needs: {}", scheme.name(), what(scheme)));
        }
        (false, Some(_)) => {
            return Err(format!("it has a secret-file, which {} does not use", scheme.name()));
        }
        _ => {}
    }
    if header_schemes.is_empty() && cookies.is_empty() {
        header_schemes.push(HeaderScheme::bearer());
    }
    let form = ForeignForm::new(name, scheme);
    let shape = Shape {
        prefix: prefix.unwrap_or(form.shape.prefix),
        length: length.unwrap_or(form.shape.length),
        characters: characters.unwrap_or(form.shape.characters),
    };
    Ok(ForeignForm { header_schemes, cookies, shape, secret_file, until_ms, ..form })
}

/// The content of this scheme's secret file.
fn what(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::ExpressSession => "the secrets of express-session, one per line",
        _ => "Django's SECRET_KEY, and its fallbacks, one per line",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> ForeignForm {
        foreign_forms(text).unwrap().remove(0)
    }

    #[test]
    fn a_form_has_a_scheme_places_and_a_shape() {
        let knox = one("old:scheme=knox+header-scheme=Token+prefix=k_+until=2027-01-31");
        assert_eq!((knox.name.as_str(), knox.scheme), ("old", Scheme::Knox));
        assert_eq!(knox.header_schemes, [HeaderScheme::Named("Token".into())]);
        assert_eq!(knox.shape, Shape { prefix: "k_".into(), ..Shape::new(64..=64, Characters::Hex) });
        assert_eq!((knox.until_ms, knox.secret_file), (Some(1_801_353_600_000), None));

        let express = one("e:scheme=express-session+secret-file=/run/s+cookie=connect.sid");
        assert!(express.header_schemes.is_empty());
        assert_eq!(
            (express.cookies, express.secret_file),
            (vec!["connect.sid".into()], Some("/run/s".into()))
        );

        let other =
            one("o:scheme=sha256+length=32-64+characters=base64url+header-scheme=none+header-scheme=X");
        assert_eq!(other.header_schemes, [HeaderScheme::None, HeaderScheme::Named("X".into())]);
        assert_eq!(other.shape, Shape::new(32..=64, Characters::Base64Url));
        assert_eq!(one("s:scheme=sanctum").header_schemes, [HeaderScheme::bearer()]);
        assert_eq!(foreign_forms(" "), Ok(vec![]));
    }

    #[test]
    fn each_mistake_is_named() {
        for (text, told) in [
            ("a b:scheme=drf", "its form 1: its name is not"),
            ("ok:scheme=drf,a", "its form 2: it has no scheme"),
            ("a:scheme=DRF", "its scheme is none of django-auth-token, "),
            ("a:scheme=drf+scheme=drf", "it has scheme twice"),
            ("a:scheme=drf+secret-file=/x", "it has a secret-file, which drf does not use"),
            (
                "a:scheme=django-auth-token",
                "it has no secret-file, which django-auth-token needs: Django's SECRET_KEY",
            ),
            ("a:scheme=express-session", "needs: the secrets of express-session"),
            ("a:scheme=express-session+secret-file=", "its secret-file is empty"),
            ("a:scheme=drf+until=soon", "its until is not a date or a time"),
            ("a:scheme=drf+header-scheme=a b", "its header-scheme is not a scheme"),
            ("a:scheme=drf+header-scheme=X+header-scheme=X", "its header-scheme is given twice"),
            ("a:scheme=drf+cookie=a;b", "its cookie is not a cookie name"),
            ("a:scheme=drf+length=8", "its length is not a length"),
            ("a:scheme=drf+length=64-32", "its length is not a length"),
            (
                "a:scheme=drf+characters=text",
                "its characters is none of hex, alphanumeric, base64url and printable",
            ),
            ("a:scheme=drf+prefix=a b", "its prefix is not"),
            ("a:scheme=drf+shape=x", "its shape is none of scheme, "),
            ("a:scheme=drf,b:scheme=drf,a:scheme=knox", "has the name a twice"),
            (&"a:scheme=drf,".repeat(33), "more than 32 forms"),
        ] {
            let problem = foreign_forms(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
