//! Tokens: the record, its members in the user's index, its takeover.

use redis::Value;

use super::damage::Kind;
use super::inspect::Item;
use super::link::{MasterLink, for_each_key};
use super::verifier::{TOLERANCE_MS, Verifier};
use crate::model::token::Token;
use crate::store::error::StoreError;
use crate::store::redis::schema::codec::token::record as codec;
use crate::token_string::{HashTag, TokenId};

impl Verifier<'_> {
    /// Checks tokens. Entries in other slots come first: a repair writes the entry before the record that names it.
    pub(crate) async fn check_tokens(
        &mut self,
        link: &MasterLink,
        ids: &[TokenId],
    ) -> Result<(), StoreError> {
        let reads = for_each_key("HGETALL", ids.iter().map(|id| self.store.keys.token(*id)));
        let answers = link.read(&reads).await?;
        let mut tokens = Vec::with_capacity(ids.len());
        for (id, answer) in ids.iter().zip(answers) {
            tokens.extend(self.decode_token(*id, answer));
        }
        self.check_object_entries(&tokens).await?;
        self.check_active_takeovers(&tokens).await?;
        let items: Vec<_> = tokens.iter().map(|token| self.token_item(token.record.id)).collect();
        for (at, kind, is_repaired) in self.inspect(link, |scripts| &scripts.verify_tokens, &items).await? {
            self.add(kind, is_repaired, &items[at].key);
        }
        Ok(())
    }

    /// Returns the token, if it is there, whole and in the slot of its user. Reports it otherwise.
    fn decode_token(&mut self, id: TokenId, answer: Option<Value>) -> Option<Token> {
        let key = self.store.keys.token(id);
        let Some(fields) = answer else {
            self.add(Kind::ForeignType, false, &key);
            return None;
        };
        match codec::token(id, &fields, &Value::Nil) {
            Ok(Some(token)) if HashTag::of_user(token.record.user()) == id.hash_tag() => return Some(token),
            Ok(Some(_)) => self.add(Kind::WrongHashTag, false, &key),
            // Expired since it was listed.
            Ok(None) => {}
            Err(_) => self.add(Kind::CorruptRecord, false, &key),
        }
        None
    }

    fn token_item(&self, id: TokenId) -> Item {
        let args = vec![id.locator().into_bytes()];
        Item { hash_tag: id.hash_tag(), key: self.store.keys.token(id), args }
    }

    /// Reads a token again; `None` if it is gone, or not live for much longer.
    pub(crate) async fn token_again(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        let answers = self.store.read_hashes(vec![self.store.keys.token(id)]).await?;
        let token =
            answers.first().map(|fields| codec::token(id, fields, &Value::Nil)).transpose()?.flatten();
        Ok(token.filter(|token| self.stays_live(token)))
    }

    /// Whether a token is live, and not about to expire.
    pub(crate) fn stays_live(&self, token: &Token) -> bool {
        token.record.is_live(self.now_ms() + TOLERANCE_MS)
    }
}
