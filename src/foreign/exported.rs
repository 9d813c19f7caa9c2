//! Token strings in an export: what a system stores of a string that the export has in plain.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use ring::hmac;

use super::form::{ForeignForm, MAX_CHARS};
use super::scheme::{Scheme, SourceDigest, django_auth_token_key};
use super::shape::{Characters, Shape};

/// Computes the source digest of a token string in an export, by the forms of the settings.
///
/// # Errors
/// Says what is wrong with the string, without the string: a form exists and the string does not have it, so its holder
/// would be refused; or the scheme needs a secret that no form has.
pub fn digest_by_forms(scheme: Scheme, string: &str, forms: &[ForeignForm]) -> Result<SourceDigest, String> {
    let known = known_part(scheme, string);
    let mut of_scheme = forms.iter().filter(|form| form.scheme == scheme).peekable();
    let has_forms = of_scheme.peek().is_some();
    let form = of_scheme.find(|form| form.shape.fits(known.as_bytes()));
    if has_forms && form.is_none() {
        return Err("does not look like the strings of any form of its scheme in the settings".into());
    }
    let secret = form.and_then(|form| form.secrets.first());
    let key = secret.map(|secret| django_auth_token_key(secret.expose().as_bytes()));
    digest_with_key(scheme, string, key.as_ref())?.ok_or_else(|| {
        let name = scheme.name();
        format!("needs the secret of a form with scheme = \"{name}\" in the settings; or give the digest")
    })
}

/// Computes the source digest of a token string in an export; `None` if the scheme needs a key and has none.
///
/// # Errors
/// Says what is wrong with the string, without the string.
pub fn digest_with_key(
    scheme: Scheme,
    string: &str,
    key: Option<&hmac::Key>,
) -> Result<Option<SourceDigest>, String> {
    let known = known_part(scheme, string);
    if !Shape::new(1..=MAX_CHARS, Characters::Printable).fits(known.as_bytes()) {
        return Err(format!("must be 1 to {MAX_CHARS} visible ASCII characters"));
    }
    Ok(scheme.digest(known.as_bytes(), key))
}

/// Returns the part of a token string that its system knows as its token. Of `sanctum` and `express-session`, the export
/// may have the whole string or that part alone; the cookie's value may be percent-encoded or not.
fn known_part(scheme: Scheme, string: &str) -> Cow<'_, str> {
    match scheme {
        Scheme::Sanctum => string.split_once('|').map_or(string, |(_, secret)| secret).into(),
        Scheme::ExpressSession => {
            let is_encoded = string.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("s%3A"));
            let value =
                if is_encoded { percent_decode_str(string).decode_utf8_lossy() } else { string.into() };
            match value
                .strip_prefix("s:")
                .map(|signed| signed.rsplit_once('.').map_or(signed, |(sid, _)| sid))
            {
                Some(sid) => sid.to_owned().into(),
                None => value,
            }
        }
        _ => string.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::SecretString;

    fn form(scheme: Scheme, secrets: &[&str]) -> ForeignForm {
        let secrets = secrets.iter().copied().map(SecretString::new).collect();
        ForeignForm { secrets, ..ForeignForm::new("old", scheme) }
    }

    #[test]
    fn whole_strings_and_their_known_parts_are_the_same() {
        for (scheme, known, wholes) in [
            (Scheme::Sanctum, "abc", vec!["7|abc"]),
            (
                Scheme::ExpressSession,
                "a.b-c",
                vec!["s:a.b-c.sig/nature+", "s%3Aa.b-c.sig%2Fnature%2B", "s%3aa.b-c.x"],
            ),
        ] {
            let digest = digest_by_forms(scheme, known, &[]).unwrap();
            for whole in wholes {
                assert_eq!(digest_by_forms(scheme, whole, &[]).unwrap(), digest, "{whole}");
            }
        }
        assert_eq!(known_part(Scheme::Drf, "7|abc"), "7|abc");
    }

    #[test]
    fn a_form_decides_what_its_strings_look_like() {
        let string = "a".repeat(40);
        let forms = [form(Scheme::Knox, &[]), form(Scheme::Drf, &[])];
        assert!(digest_by_forms(Scheme::Drf, &string, &forms).is_ok());
        for bad in ["abc", &"g".repeat(40)] {
            let problem = digest_by_forms(Scheme::Drf, bad, &forms).unwrap_err();
            assert!(problem.contains("does not look like"), "{problem}");
            assert!(digest_by_forms(Scheme::Sha256, bad, &forms).is_ok());
        }
        for bad in ["", "a b", "é", &"a".repeat(513)] {
            assert!(digest_by_forms(Scheme::Sha256, bad, &forms).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_keyed_scheme_takes_the_first_secret_of_its_form() {
        let (scheme, string) = (Scheme::DjangoAuthToken, "a".repeat(40));
        let digest = digest_by_forms(scheme, &string, &[form(scheme, &["s3cret", "earlier"])]).unwrap();
        let key = django_auth_token_key(b"s3cret");
        assert_eq!(Some(digest), scheme.digest(string.as_bytes(), Some(&key)));
        let problem = digest_by_forms(scheme, &string, &[]).unwrap_err();
        assert!(problem.starts_with("needs the secret of a form with scheme = \"django-auth-token\""));
    }
}
