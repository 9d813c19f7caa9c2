//! Replaces the secret of a token and judges its former secrets.

use super::record::{RecordVerdict, TokenRecord};
use super::rotation::{MAX_REMEMBERED_SECRETS, MAX_SIBLINGS, PreviousSecret, Rotation};
use crate::token_string::SecretHash;

impl TokenRecord {
    /// Replaces the secret. Returns false, and changes nothing, if this window has handed out [`MAX_SIBLINGS`] secrets.
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

    /// Returns what is wrong with this secret at `now_ms`; `None` if it opens the token.
    pub(crate) fn mismatch(&self, secret_hash: &SecretHash, now_ms: u64) -> Option<RecordVerdict> {
        if self.secret_hash == *secret_hash {
            return None;
        }
        match self.previous.iter().find(|previous| previous.hash == *secret_hash) {
            Some(previous) if previous.is_good(now_ms) => None,
            Some(_) => Some(RecordVerdict::RotatedOut),
            None => Some(RecordVerdict::WrongSecret),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::rotation::MAX_PREVIOUS_SECRETS;
    use crate::model::token::tests::record;

    const GRACE_MS: u64 = 10;

    fn secret(n: u8) -> SecretHash {
        SecretHash::from_slice(&[n; 16]).unwrap()
    }

    /// A live token whose secrets were replaced by these, each at its time.
    fn rotated(rotations: &[(u8, u64)]) -> TokenRecord {
        let mut token = TokenRecord { expires_at_ms: 1_000_000, ..record() };
        for (n, now_ms) in rotations {
            assert!(token.rotate(Rotation { hash: secret(*n), grace_ms: GRACE_MS }, *now_ms), "{n}");
        }
        token
    }

    fn verdicts<const N: usize>(token: &TokenRecord, secrets: [u8; N], now_ms: u64) -> [RecordVerdict; N] {
        secrets.map(|n| token.judge(&secret(n), None, now_ms))
    }

    #[test]
    fn a_rotated_out_secret_is_good_until_its_deadline_and_then_remembered() {
        let token = rotated(&[(2, 100)]);
        assert_eq!(
            verdicts(&token, [1, 2, 9], 109),
            [RecordVerdict::Admitted, RecordVerdict::Admitted, RecordVerdict::WrongSecret]
        );
        assert_eq!(verdicts(&token, [1, 2], 110), [RecordVerdict::RotatedOut, RecordVerdict::Admitted]);
    }

    #[test]
    fn siblings_are_good_until_a_rotation_opens_the_next_window() {
        let token = rotated(&[(2, 100), (3, 100), (4, 109)]);
        assert_eq!(verdicts(&token, [1, 2, 3, 4], 109), [RecordVerdict::Admitted; 4]);
        let much_later = [
            RecordVerdict::RotatedOut,
            RecordVerdict::Admitted,
            RecordVerdict::Admitted,
            RecordVerdict::Admitted,
        ];
        assert_eq!(verdicts(&token, [1, 2, 3, 4], 999_999), much_later);
        let token = rotated(&[(2, 100), (3, 100), (4, 109), (5, 110)]);
        assert_eq!(verdicts(&token, [2, 3, 4, 5], 119), [RecordVerdict::Admitted; 4]);
        assert_eq!(verdicts(&token, [2, 3, 4], 120), [RecordVerdict::RotatedOut; 3]);
        assert_eq!(verdicts(&token, [5], 120), [RecordVerdict::Admitted]);
    }

    #[test]
    fn without_a_grace_every_other_secret_is_rotated_out_at_once() {
        let mut token = rotated(&[(2, 100), (3, 100)]);
        assert!(token.rotate(Rotation { hash: secret(4), grace_ms: 0 }, 105));
        assert_eq!(verdicts(&token, [2, 3], 105), [RecordVerdict::RotatedOut; 2]);
        assert_eq!(
            verdicts(&token, [1, 4], 105),
            [RecordVerdict::Admitted; 2],
            "1 keeps the grace it was given"
        );
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
        let (forgotten, remembered) = (RecordVerdict::WrongSecret, RecordVerdict::RotatedOut);
        assert_eq!(verdicts[..3], [forgotten, remembered, remembered]);
        assert_eq!(verdicts[3..], [RecordVerdict::Admitted; 4]);
    }
}
