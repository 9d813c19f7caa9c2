//! Users' indexes: TTL, and members that name no token.

use super::damage::Kind;
use super::inspect::Item;
use super::key_name::UserKey;
use super::link::MasterLink;
use super::pages::{Page, Pages};
use super::verifier::Verifier;
use crate::store::error::StoreError;
use crate::token_string::{HashTag, TokenId};

impl Verifier<'_> {
    /// Checks users' indexes. A wrong entry of an existing token is found with the token.
    pub(crate) async fn check_indexes(
        &mut self,
        link: &MasterLink,
        users: Vec<UserKey>,
    ) -> Result<(), StoreError> {
        let users = self.in_place('u', users);
        let keys: Vec<_> = users.iter().map(|user| self.user_key('u', user)).collect();
        let item = |at: usize, member: &[u8]| {
            let is_malformed = !member.is_empty() && !is_member(users[at].hash_tag, member);
            let flag = if is_malformed { b"1".to_vec() } else { b"0".to_vec() };
            let args = vec![users[at].user.clone().into_bytes(), member.to_vec(), flag];
            (at, Item { hash_tag: users[at].hash_tag, key: keys[at].clone(), args })
        };
        let mut is_whole = vec![true; keys.len()];
        let mut pages = Pages::new("ZSCAN", keys.clone());
        while let Some(Page { members, foreign }) = pages.next(link).await? {
            for at in foreign {
                is_whole[at] = false;
                self.add(Kind::ForeignType, false, &self.shown_user_key('u', &users[at]));
            }
            let items = members.iter().map(|(at, member, _)| item(*at, member)).collect();
            self.check_members(link, &users, items).await?;
            self.end_members(members.len()).await;
        }
        let ttls = (0..keys.len()).filter(|at| is_whole[*at]).map(|at| item(at, b"")).collect();
        self.check_members(link, &users, ttls).await
    }

    async fn check_members(
        &mut self,
        link: &MasterLink,
        users: &[UserKey],
        items: Vec<(usize, Item)>,
    ) -> Result<(), StoreError> {
        let (places, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        for (at, kind, is_repaired) in self.inspect(link, |scripts| &scripts.verify_index, &items).await? {
            let member = items[at].args.get(1).cloned().unwrap_or_default();
            self.add_member(kind, is_repaired, &self.shown_user_key('u', &users[places[at]]), &member);
        }
        Ok(())
    }
}

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
