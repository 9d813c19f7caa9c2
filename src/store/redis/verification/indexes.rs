//! Users' indexes: TTL, and members that name no token.

use super::user_keys::UserKeyCheck;
use crate::token_string::{HashTag, TokenId};

/// Users' indexes. A wrong entry of an existing token is found with the token.
pub(crate) const INDEXES: UserKeyCheck = UserKeyCheck {
    kind: 'u',
    scan: "ZSCAN",
    script: |scripts| &scripts.verify_index,
    args: |user, member| {
        let is_malformed = !member.is_empty() && !is_member(user.hash_tag, member);
        let flag = if is_malformed { b"1".to_vec() } else { b"0".to_vec() };
        Some(vec![user.user.clone().into_bytes(), member.to_vec(), flag])
    },
};

/// Returns whether a member is a locator, or `@` or `#` and a locator.
fn is_member(hash_tag: HashTag, member: &[u8]) -> bool {
    let locator = member.strip_prefix(b"@").or_else(|| member.strip_prefix(b"#")).unwrap_or(member);
    std::str::from_utf8(locator).is_ok_and(|locator| TokenId::from_locator(hash_tag, locator).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_name_tokens() {
        let id = TokenId::parse("jE1hGDDTZBpo-Upp").unwrap();
        for (member, is_right) in [
            (id.locator(), true),
            (format!("@{}", id.locator()), true),
            (format!("#{}", id.locator()), true),
            (format!("-{}", id.locator()), false),
            ("no locator".into(), false),
        ] {
            assert_eq!(is_member(id.hash_tag(), member.as_bytes()), is_right, "{member}");
        }
        assert!(!is_member(id.hash_tag(), b"\xff"));
    }
}
