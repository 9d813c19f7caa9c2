//! Users' keys with members: the TTL of each key, and its members piece by piece.

use super::damage::Kind;
use super::inspect::{Item, ScriptArgs};
use super::key_name::UserKey;
use super::link::MasterLink;
use super::pages::{MemberPage, Pages};
use super::verifier::Verifier;
use crate::store::error::StoreError;
use crate::store::redis::schema::script::Script;
use crate::store::redis::schema::scripts::VerificationScripts;

/// How users' keys of one kind are checked.
pub(crate) struct UserKeyCheck {
    /// The kind's letter in the names of keys.
    pub(crate) kind: char,
    /// `ZSCAN` or `HSCAN`.
    pub(crate) scan: &'static str,
    pub(crate) script: fn(&VerificationScripts) -> &Script,
    /// Returns the arguments of the script for a member, and for the key itself if the member is empty. `None` for a member
    /// that is right without a look at other keys.
    pub(crate) args: fn(&UserKey, &[u8]) -> Option<ScriptArgs>,
}

impl Verifier<'_> {
    /// Checks users' keys of one kind.
    pub(crate) async fn check_user_keys(
        &mut self,
        link: &MasterLink,
        check: &UserKeyCheck,
        users: Vec<UserKey>,
    ) -> Result<(), StoreError> {
        let users = self.in_place(check.kind, users);
        let keys = users.iter().map(|user| self.user_key(check.kind, user)).collect();
        let mut is_whole = vec![true; users.len()];
        let mut pages = Pages::new(check.scan, keys);
        while let Some(MemberPage { members, foreign }) = pages.next(link).await? {
            for at in foreign {
                is_whole[at] = false;
                self.add(Kind::ForeignType, false, &self.shown_user_key(check.kind, &users[at]));
            }
            let count = members.len();
            let members = members.into_iter().map(|(at, member, _)| (&users[at], member));
            self.check_members(link, check, members).await?;
            self.end_members(count).await;
        }
        let whole = users.iter().zip(is_whole).filter(|(_, is_whole)| *is_whole);
        self.check_members(link, check, whole.map(|(user, _)| (user, Vec::new()))).await
    }

    async fn check_members<'k>(
        &mut self,
        link: &MasterLink,
        check: &UserKeyCheck,
        members: impl Iterator<Item = (&'k UserKey, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let (mut checked, mut items) = (Vec::new(), Vec::new());
        for (user, member) in members {
            if let Some(args) = (check.args)(user, &member) {
                items.push(Item { hash_tag: user.hash_tag, key: self.user_key(check.kind, user), args });
                checked.push((user, member));
            }
        }
        for (at, kind, is_repaired) in self.inspect(link, check.script, &items).await? {
            let (user, member) = &checked[at];
            self.add_member(kind, is_repaired, &self.shown_user_key(check.kind, user), member);
        }
        Ok(())
    }
}
