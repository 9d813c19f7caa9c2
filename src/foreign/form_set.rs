//! Sets of configured forms.

use super::form::ForeignForm;

/// The most forms that can be configured.
pub const MAX_FORMS: usize = 32;

/// A set of configured forms, by their places in the setting. Tells which forms a token string may have where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormSet {
    forms: u32,
    list: Option<FormList>,
}

/// Names the list of forms that the places of a set refer to: two lists with the same names in the same order are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormList(u32);

impl FormList {
    /// The name of this list.
    pub fn of(forms: &[ForeignForm]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for form in forms {
            // No name of a form has a zero byte, so the separator is unambiguous.
            hasher.update(form.name.as_bytes()).update(b"\0");
        }
        let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }
}

impl FormSet {
    /// No form: only native token strings.
    pub const NONE: Self = Self { forms: 0, list: None };
    /// Every form: where a token string comes without a header or a cookie.
    pub const ALL: Self = Self { forms: u32::MAX, list: None };

    /// The set of one form. A place from [`MAX_FORMS`] on is no form.
    pub fn of(place: usize) -> Self {
        let form = u32::try_from(place).ok().and_then(|place| 1_u32.checked_shl(place));
        Self { forms: form.unwrap_or_default(), list: None }
    }

    /// Returns these places as places of a list.
    pub const fn in_list(self, list: FormList) -> Self {
        Self { list: Some(list), ..self }
    }

    /// Returns the set for a look at this list. If a reload has replaced the list since the set was made, its places may be
    /// other forms' places, so the string may have any form.
    pub fn for_list(self, list: FormList) -> Self {
        if self.list.is_none_or(|made_for| made_for == list) { self } else { Self::ALL }
    }

    /// The forms of either set. Both are of one list.
    pub fn union(self, other: Self) -> Self {
        Self { forms: self.forms | other.forms, list: self.list.or(other.list) }
    }

    /// Whether the form at this place belongs to the set.
    pub fn has(self, place: usize) -> bool {
        self.forms & Self::of(place).forms != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.forms == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_forms_that_were_put_in() {
        let set = FormSet::of(0).union(FormSet::of(31));
        assert!(set.has(0) && set.has(31) && !set.has(1) && !set.is_empty());
        assert_eq!((FormSet::of(MAX_FORMS), FormSet::of(usize::MAX)), (FormSet::NONE, FormSet::NONE));
        assert!(!FormSet::ALL.has(MAX_FORMS) && (0..MAX_FORMS).all(|place| FormSet::ALL.has(place)));
    }

    #[test]
    fn a_set_of_another_list_becomes_all_forms() {
        let (one, other) = (FormList(1), FormList(2));
        let set = FormSet::of(3).in_list(one).union(FormSet::of(4));
        assert_eq!((set.for_list(one), set.for_list(other)), (set, FormSet::ALL));
        assert_eq!((FormSet::NONE.for_list(one), FormSet::ALL.for_list(one)), (FormSet::NONE, FormSet::ALL));
    }
}
