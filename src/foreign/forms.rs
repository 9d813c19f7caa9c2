//! Recognises foreign token strings by the configured forms.

use ring::hmac;

use super::cookie_signature::signed_value;
use super::digest::ForeignDigest;
use super::form::ForeignForm;
use super::form_set::{FormList, FormSet};
use super::scheme::{Scheme, django_auth_token_key};
use crate::token_string::TokenKind;

/// The most characters of the number before `|` in a string of Sanctum; it may also be a UUID.
const MAX_SANCTUM_ID_CHARS: usize = 36;

/// The configured forms, ready to recognise strings.
#[derive(Debug, Default)]
pub struct ForeignForms {
    configured: Vec<ForeignForm>,
    /// The keys of each form.
    keys: Vec<FormKeys>,
    list: FormList,
}

/// The keys of a form, from its secrets.
#[derive(Debug)]
struct FormKeys {
    /// The keys of the digest: one for each, `None` for a digest without a key.
    digest: Vec<Option<hmac::Key>>,
    /// The keys of the signature of express-session.
    signature: Vec<hmac::Key>,
}

impl ForeignForms {
    /// Prepares these forms. A [`FormSet`] refers to their places in this list.
    pub fn new(configured: Vec<ForeignForm>) -> Self {
        let list = FormList::of(&configured);
        Self { keys: configured.iter().map(FormKeys::of).collect(), configured, list }
    }

    /// The forms as they are configured.
    pub fn configured(&self) -> &[ForeignForm] {
        &self.configured
    }

    /// Whether no form is configured.
    pub fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// Returns the digests of a string by each form of `set` whose shape it has, in the order of the forms; none if its
    /// signature is wrong, and none for a native token string. `now_ms` is the time by which forms end.
    pub fn digests<'a>(
        &'a self,
        string: &'a [u8],
        set: FormSet,
        now_ms: u64,
    ) -> impl Iterator<Item = ForeignDigest> + 'a {
        let (may_be_foreign, set) = (!is_native(string), set.for_list(self.list));
        let forms = self.configured.iter().zip(&self.keys).enumerate();
        let forms = forms.filter(move |(place, (form, _))| {
            may_be_foreign && set.has(*place) && form.until_ms.is_none_or(|until_ms| now_ms < until_ms)
        });
        forms.flat_map(|(_, (form, keys))| form.digests(string, keys))
    }
}

/// Whether a string starts as a native one.
fn is_native(string: &[u8]) -> bool {
    [TokenKind::Session, TokenKind::DeviceLogin]
        .iter()
        .any(|kind| string.starts_with(kind.prefix().as_bytes()))
}

impl FormKeys {
    fn of(form: &ForeignForm) -> Self {
        let secrets = || form.secrets.iter().map(|secret| secret.expose().as_bytes());
        match form.scheme {
            Scheme::DjangoAuthToken => {
                let keys = secrets().map(|secret| Some(django_auth_token_key(secret)));
                Self { digest: keys.collect(), signature: Vec::new() }
            }
            Scheme::ExpressSession => {
                let keys = secrets().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret));
                Self { digest: vec![None], signature: keys.collect() }
            }
            _ => Self { digest: vec![None], signature: Vec::new() },
        }
    }
}

impl ForeignForm {
    fn digests(&self, string: &[u8], keys: &FormKeys) -> impl Iterator<Item = ForeignDigest> {
        let (scheme, token) = (self.scheme, self.token_in(string, &keys.signature));
        let digest = move |key: &Option<hmac::Key>| {
            let source = scheme.digest(token?, key.as_ref())?;
            Some(ForeignDigest::of(scheme, &source))
        };
        keys.digest.iter().filter_map(digest)
    }

    /// Returns what the system knows as its token, if the string has the shape and a right signature.
    fn token_in<'a>(&self, string: &'a [u8], signature_keys: &[hmac::Key]) -> Option<&'a [u8]> {
        let token = match self.scheme {
            Scheme::Sanctum => after_sanctum_id(string)?,
            Scheme::ExpressSession => signed_value(string, signature_keys)?,
            _ => string,
        };
        self.shape.fits(token).then_some(token)
    }
}

/// Returns what Sanctum hashes: the part after the first `|`, or a string without one as a whole
/// (`PersonalAccessToken::findToken`).
fn after_sanctum_id(string: &[u8]) -> Option<&[u8]> {
    let Some(bar) = string.iter().position(|byte| *byte == b'|') else { return Some(string) };
    let is_id = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let (id, rest) = string.split_at_checked(bar)?;
    let is_valid = (1..=MAX_SANCTUM_ID_CHARS).contains(&id.len()) && id.iter().all(is_id);
    is_valid.then_some(rest.get(1..)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::foreign::scheme::SourceDigest;
    use crate::values::SecretString;

    fn form(scheme: Scheme, secrets: &[&str]) -> ForeignForm {
        let secrets = secrets.iter().copied().map(SecretString::new).collect();
        ForeignForm { secrets, ..ForeignForm::new(scheme.name(), scheme) }
    }

    fn digests(forms: &[ForeignForm], string: &str) -> Vec<ForeignDigest> {
        ForeignForms::new(forms.to_vec()).digests(string.as_bytes(), FormSet::ALL, 0).collect()
    }

    fn of(scheme: Scheme, token: &str) -> ForeignDigest {
        ForeignDigest::of(scheme, &scheme.digest(token.as_bytes(), None).unwrap())
    }

    const HEX_40: &str = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";

    #[test]
    fn a_string_is_tried_by_each_form_whose_shape_it_has() {
        let forms =
            [form(Scheme::Drf, &[]), form(Scheme::DjangoAuthTokenPlain, &[]), form(Scheme::Knox, &[])];
        assert_eq!(
            digests(&forms, HEX_40),
            [of(Scheme::Drf, HEX_40), of(Scheme::DjangoAuthTokenPlain, HEX_40)]
        );
        for other in ["", "9944", &HEX_40.replace('9', "g"), &format!("{HEX_40} ")] {
            assert_eq!(digests(&forms, other), [], "{other}");
        }
        let only =
            |set| ForeignForms::new(forms.to_vec()).digests(HEX_40.as_bytes(), set, 0).collect::<Vec<_>>();
        assert_eq!(only(FormSet::of(1)), [of(Scheme::DjangoAuthTokenPlain, HEX_40)]);
        assert_eq!(only(FormSet::NONE), []);
    }

    #[test]
    fn a_native_string_is_never_foreign() {
        let any = form(Scheme::Sha256, &[]);
        for native in ["dw_", "dwd_"] {
            assert_eq!(digests(std::slice::from_ref(&any), &format!("{native}{HEX_40}")), []);
        }
        assert_eq!(digests(&[any], &format!("dx_{HEX_40}")).len(), 1);
    }

    #[test]
    fn a_form_ends_at_its_time() {
        let forms = ForeignForms::new(vec![ForeignForm { until_ms: Some(1000), ..form(Scheme::Drf, &[]) }]);
        let count = |now_ms| forms.digests(HEX_40.as_bytes(), FormSet::ALL, now_ms).count();
        assert_eq!((count(999), count(1000)), (1, 0));
    }

    /// Python's hmac made the digest, with the key s3cret (`scheme.rs`).
    #[test]
    fn each_secret_of_django_yields_a_digest() {
        let forms = [form(Scheme::DjangoAuthToken, &["new", "s3cret"])];
        let found = digests(&forms, &"a".repeat(40));
        let source =
            Scheme::DjangoAuthToken.digest(&[b'a'; 40], Some(&django_auth_token_key(b"s3cret"))).unwrap();
        assert_eq!((found.len(), found[1]), (2, ForeignDigest::of(Scheme::DjangoAuthToken, &source)));
    }

    #[test]
    fn the_secret_of_sanctum_is_after_the_bar() {
        let forms = [form(Scheme::Sanctum, &[])];
        let secret = "x".repeat(40);
        for string in [secret.clone(), format!("17|{secret}"), format!("9b1deb4d-3b7d|{secret}")] {
            assert_eq!(digests(&forms, &string), [of(Scheme::Sanctum, &secret)], "{string}");
        }
        for other in [format!("|{secret}"), format!("1 7|{secret}"), "17|short".into(), "17|".into()] {
            assert_eq!(digests(&forms, &other), [], "{other}");
        }
    }

    /// The strings were signed by the package cookie-signature 1.2.2.
    #[test]
    fn a_session_of_express_needs_its_signature() {
        let forms = [form(Scheme::ExpressSession, &["new", "keyboard cat"])];
        let id = "0GbTPYAY8hpEK6qXq8TQQ7qSDmmyLdWj";
        let signature = EXPRESS_SIGNATURE;
        assert_eq!(digests(&forms, &format!("s:{id}.{signature}")), [of(Scheme::ExpressSession, id)]);
        for other in [
            format!("s:{id}.{}", signature.replacen(|c: char| c != 'A', "A", 1)),
            format!("s:{id}.{signature}="),
            format!("s:{id}."),
            format!("s:{id}"),
            format!("{id}.{signature}"),
            format!("s:{}.{signature}", id.to_lowercase()),
        ] {
            assert_eq!(digests(&forms, &other), [], "{other}");
        }
        assert_eq!(digests(&[form(Scheme::ExpressSession, &["other"])], &format!("s:{id}.{signature}")), []);
    }

    const EXPRESS_SIGNATURE: &str = "TRQ63d3lT7OjmwzPNy4JfE85dApB346Q2gxCl47DIHk";

    #[test]
    fn nothing_shows_a_secret() {
        let forms = [
            form(Scheme::ExpressSession, &["hidden-secret"]),
            form(Scheme::DjangoAuthToken, &["hidden-secret"]),
        ];
        let shown = format!("{forms:?} {:?}", ForeignForms::new(forms.to_vec()));
        assert!(!shown.contains("hidden"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_string_panics(string: Vec<u8>, start in "(s:|1\\||dw_)?", length in 0_usize..600) {
            let forms = Scheme::ALL.map(|scheme| form(scheme, &["a", "b"]));
            let forms = ForeignForms::new(forms.into());
            let long = start.into_bytes().into_iter().chain(string.iter().copied().cycle().take(length));
            for string in [string.clone(), long.collect()] {
                for digest in forms.digests(&string, FormSet::ALL, 0) {
                    prop_assert_eq!(digest.alias_name().len(), 22);
                }
            }
        }

        #[test]
        fn no_source_digest_panics(hex in ".*") {
            for scheme in Scheme::ALL {
                let _ = SourceDigest::parse_hex(scheme, &hex);
            }
        }
    }
}
