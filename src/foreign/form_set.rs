//! Sets of configured forms.

/// The most forms that can be configured.
pub const MAX_FORMS: usize = 32;

/// A set of configured forms, by their places in the setting. Tells which forms a token string may have where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormSet(u32);

impl FormSet {
    /// No form: only native token strings.
    pub const NONE: Self = Self(0);
    /// Every form: where a token string comes without a header or a cookie.
    pub const ALL: Self = Self(u32::MAX);

    /// The set of one form. A place from [`MAX_FORMS`] on is no form.
    pub fn of(place: usize) -> Self {
        u32::try_from(place).ok().and_then(|place| 1_u32.checked_shl(place)).map_or(Self::NONE, Self)
    }

    /// The forms of either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the form at this place belongs to the set.
    pub fn has(self, place: usize) -> bool {
        self.0 & Self::of(place).0 != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
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
}
