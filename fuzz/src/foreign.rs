//! Foreign token strings are recognised by their forms, and only by these.

use doorward::internals::foreign::{ForeignForm, ForeignForms, FormSet, Scheme};
use doorward::internals::values::SecretString;

/// The secret that signed the seed of express-session.
const SECRET: &str = "keyboard cat";

/// Checks the bytes as a foreign string of each form.
pub fn check(bytes: &[u8]) {
    let forms = Scheme::ALL.map(form);
    let digests = |set| ForeignForms::new(forms.to_vec()).digests(bytes, set, 0).collect::<Vec<_>>();
    assert!(digests(FormSet::NONE).is_empty());
    let each: Vec<_> = (0..forms.len()).flat_map(|place| digests(FormSet::of(place))).collect();
    assert_eq!(digests(FormSet::ALL), each, "the forms do not depend on each other");
    if bytes.starts_with(b"dw_") || bytes.starts_with(b"dwd_") {
        assert!(each.is_empty(), "a native string is never foreign");
    }
    let is_visible = bytes.iter().all(u8::is_ascii_graphic);
    assert!(each.is_empty() || is_visible, "every form has visible characters only");
}

fn form(scheme: Scheme) -> ForeignForm {
    let secrets = vec![SecretString::new(SECRET), SecretString::new("other")];
    ForeignForm { secrets, ..ForeignForm::new(scheme.name(), scheme) }
}
