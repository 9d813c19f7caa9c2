//! How a token's secret is replaced, and what its former secrets are worth. lua/secrets.lua has the same rules.
//!
//! The first rotation opens a window of one grace: the secrets handed out before it are good until the window closes.
//! Several tabs of a browser may rotate at once, on several nodes, and the browser keeps one of the answers. So the
//! secrets handed out in one window are siblings: all of them are good until a rotation opens the next window.

use std::ops::Deref;

use super::record::{Credential, Verdict};
use crate::token_string::SecretHash;

/// A secret of a token besides its present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Its hash.
    pub hash: SecretHash,
    /// It is good while the clock is before this, and then remembered as rotated out. `None` for a sibling of the
    /// present secret, which is good until the next window.
    pub until_ms: Option<u64>,
}

/// A token's secrets besides its present one, oldest first. One pointer, because every record has room for it: most tokens
/// have none, and the present secret is found without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreviousSecrets(Option<Box<Several>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Several(Vec<PreviousSecret>);

impl PreviousSecrets {
    /// Whether there are none; does not look at them.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Deref for PreviousSecrets {
    type Target = [PreviousSecret];

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().map_or(&[], |several| &several.0)
    }
}

impl From<Vec<PreviousSecret>> for PreviousSecrets {
    fn from(secrets: Vec<PreviousSecret>) -> Self {
        Self((!secrets.is_empty()).then(|| Box::new(Several(secrets))))
    }
}

/// The secrets that one window may hand out; another rotation in it is refused.
pub const MAX_SIBLINGS: usize = 32;
/// The rotated-out secrets that are remembered, so that reuse can be told from a forged secret. The oldest go first.
pub const MAX_REMEMBERED_SECRETS: usize = 8;
/// The entries that [`Credential::previous`] has at most: the secrets of the last window while their grace runs, the
/// siblings of the present secret, and the remembered secrets.
pub const MAX_PREVIOUS_SECRETS: usize = MAX_SIBLINGS + (MAX_SIBLINGS - 1) + MAX_REMEMBERED_SECRETS;

/// A new secret for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Its hash.
    pub hash: SecretHash,
    /// How long the window is that this rotation opens; with 0 there is none, and the present secret is rotated out at
    /// once.
    pub grace_ms: u64,
}

impl PreviousSecret {
    /// Whether it opens the token at `now_ms`.
    pub fn is_good(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}

impl Credential {
    /// Replaces the secret. Returns false, and changes nothing, when this window has handed out [`MAX_SIBLINGS`]
    /// secrets.
    pub fn rotate(&mut self, rotation: Rotation, now_ms: u64) -> bool {
        let Rotation { hash, grace_ms } = rotation;
        let is_in_grace = |secret: &PreviousSecret| secret.until_ms.is_some() && secret.is_good(now_ms);
        let is_window_open = grace_ms > 0 && self.previous.iter().any(is_in_grace);
        let mut previous = self.previous.to_vec();
        previous.push(PreviousSecret { hash: self.secret_hash, until_ms: None });
        if is_window_open {
            if previous.iter().filter(|secret| secret.until_ms.is_none()).count() >= MAX_SIBLINGS {
                return false;
            }
        } else {
            for secret in &mut previous {
                secret.until_ms.get_or_insert(now_ms + grace_ms);
            }
        }
        let remembered = previous.iter().filter(|secret| !secret.is_good(now_ms)).count();
        let mut surplus = remembered.saturating_sub(MAX_REMEMBERED_SECRETS);
        previous.retain(|secret| {
            let is_kept = surplus == 0 || secret.is_good(now_ms);
            surplus -= usize::from(!is_kept);
            is_kept
        });
        self.previous = previous.into();
        self.secret_hash = hash;
        true
    }

    /// What is wrong with this secret at `now_ms`; `None` when it opens the token.
    pub(crate) fn mismatch(&self, secret_hash: &SecretHash, now_ms: u64) -> Option<Verdict> {
        if self.secret_hash == *secret_hash {
            return None;
        }
        match self.previous.iter().find(|previous| previous.hash == *secret_hash) {
            Some(previous) if previous.is_good(now_ms) => None,
            Some(_) => Some(Verdict::RotatedOut),
            None => Some(Verdict::WrongSecret),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::tests::credential;

    const GRACE_MS: u64 = 10;

    fn secret(n: u8) -> SecretHash {
        SecretHash::from_slice(&[n; 16]).unwrap()
    }

    /// A live token whose secrets were replaced by these, each at its time.
    fn rotated(rotations: &[(u8, u64)]) -> Credential {
        let mut token = Credential { expires_at_ms: 1_000_000, ..credential() };
        for (n, now_ms) in rotations {
            assert!(token.rotate(Rotation { hash: secret(*n), grace_ms: GRACE_MS }, *now_ms), "{n}");
        }
        token
    }

    fn verdicts<const N: usize>(token: &Credential, secrets: [u8; N], now_ms: u64) -> [Verdict; N] {
        secrets.map(|n| token.judge(&secret(n), None, now_ms))
    }

    #[test]
    fn a_rotated_out_secret_is_good_until_its_deadline_and_then_remembered() {
        let token = rotated(&[(2, 100)]);
        assert_eq!(
            verdicts(&token, [1, 2, 9], 109),
            [Verdict::Admitted, Verdict::Admitted, Verdict::WrongSecret]
        );
        assert_eq!(verdicts(&token, [1, 2], 110), [Verdict::RotatedOut, Verdict::Admitted]);
    }

    #[test]
    fn siblings_are_good_until_a_rotation_opens_the_next_window() {
        let token = rotated(&[(2, 100), (3, 100), (4, 109)]);
        assert_eq!(verdicts(&token, [1, 2, 3, 4], 109), [Verdict::Admitted; 4]);
        let much_later = [Verdict::RotatedOut, Verdict::Admitted, Verdict::Admitted, Verdict::Admitted];
        assert_eq!(verdicts(&token, [1, 2, 3, 4], 999_999), much_later);
        let token = rotated(&[(2, 100), (3, 100), (4, 109), (5, 110)]);
        assert_eq!(verdicts(&token, [2, 3, 4, 5], 119), [Verdict::Admitted; 4]);
        assert_eq!(verdicts(&token, [2, 3, 4], 120), [Verdict::RotatedOut; 3]);
        assert_eq!(verdicts(&token, [5], 120), [Verdict::Admitted]);
    }

    #[test]
    fn without_a_grace_every_other_secret_is_rotated_out_at_once() {
        let mut token = rotated(&[(2, 100), (3, 100)]);
        assert!(token.rotate(Rotation { hash: secret(4), grace_ms: 0 }, 105));
        assert_eq!(verdicts(&token, [2, 3], 105), [Verdict::RotatedOut; 2]);
        assert_eq!(verdicts(&token, [1, 4], 105), [Verdict::Admitted; 2], "1 keeps the grace it was given");
    }

    #[test]
    fn only_so_many_secrets_are_handed_out_in_a_window_and_remembered() {
        let most = u8::try_from(MAX_SIBLINGS).unwrap();
        let mut token = rotated(&[]);
        for window in 0..4 {
            let now_ms = 100 + u64::from(window) * GRACE_MS;
            let rotation = |n| Rotation { hash: secret(2 + window * most + n), grace_ms: GRACE_MS };
            assert!((0..most).all(|n| token.rotate(rotation(n), now_ms)));
            let before = token.clone();
            assert!(!token.rotate(rotation(most), now_ms + GRACE_MS - 1));
            assert_eq!(token, before);
            assert!(token.previous.len() <= MAX_PREVIOUS_SECRETS);
        }
        assert_eq!(token.previous.len(), MAX_PREVIOUS_SECRETS);
        let of_window = |window| 2 + window * most;
        let (third, fourth) = (of_window(2), of_window(3));
        let remembered = third - u8::try_from(MAX_REMEMBERED_SECRETS).unwrap();
        let seen = [remembered - 1, remembered, third - 1, third, fourth - 1, fourth, of_window(4) - 1];
        let verdicts = verdicts(&token, seen, 139);
        let (forgotten, remembered) = (Verdict::WrongSecret, Verdict::RotatedOut);
        assert_eq!(verdicts[..3], [forgotten, remembered, remembered]);
        assert_eq!(verdicts[3..], [Verdict::Admitted; 4]);
    }
}
