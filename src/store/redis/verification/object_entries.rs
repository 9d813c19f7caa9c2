//! The reverse index of related objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use redis::{Value, pipe};

use super::damage::Kind;
use super::inspect::Item;
use super::key_name::object_name;
use super::link::MasterLink;
use super::pages::{MemberPage, Pages};
use super::verifier::Verifier;
use crate::model::token::{RelatedObject, Token};
use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::operations::stale_entries::{StaleEntry, YOUNG_ENTRY_SECONDS};
use crate::store::redis::schema::codec::token::record as codec;
use crate::store::redis::schema::keys::ObjectName;
use crate::token_string::{HashTag, TokenId};

/// The score of an entry is its end in seconds times this, and the second of its writing modulo this.
const CYCLE_S: u64 = 1 << 20;

/// Entries that one pipeline reads.
const ENTRIES_PER_READ: usize = 256;

/// A token and an object that it names.
type Named<'t> = (&'t Token, &'t RelatedObject);

impl Verifier<'_> {
    /// Checks that the index of each object of a live token names the token.
    pub(crate) async fn check_object_entries(&mut self, tokens: &[Token]) -> Result<(), StoreError> {
        let live = tokens.iter().filter(|token| self.stays_live(token));
        let named: Vec<_> = live
            .flat_map(|token| token.details.related_objects.iter().map(move |object| (token, object)))
            .collect();
        for (token, object) in self.with_entry_missing(&named).await? {
            // The second look: the object may have been taken from the token, and the token may have been revoked.
            let Some(token) = self.token_again(token.record.id).await? else { continue };
            let is_named = token.details.related_objects.contains(object);
            if !is_named || self.with_entry_missing(&[(&token, object)]).await?.is_empty() {
                continue;
            }
            let of_token = (token.record.id, token.record.ends_at_ms);
            let objects = std::slice::from_ref(object);
            let is_repaired = self.options.repairs
                && self.store.add_object_entries(objects, of_token, &self.call()).await?;
            let (key, id) = (self.store.keys.related(object), token.record.id.to_string());
            self.add_member(Kind::ObjectEntryMissing, is_repaired, &key, id.as_bytes());
        }
        Ok(())
    }

    /// Returns the pairs whose object's index has no entry of the token, or one that ends before the token can.
    async fn with_entry_missing<'t>(&self, named: &[Named<'t>]) -> Result<Vec<Named<'t>>, StoreError> {
        let is_by_slot = self.store.topology.map().is_by_slot();
        let mut by_slot: BTreeMap<u16, Vec<(String, Named<'t>)>> = BTreeMap::new();
        for (token, object) in named {
            let name = ObjectName::of(object);
            let slot = if is_by_slot { slot_of_tag(name.hash_tag) } else { 0 };
            let key = self.store.keys.related_by_name(&name);
            by_slot.entry(slot).or_default().push((key, (*token, *object)));
        }
        let mut missing = Vec::new();
        for some in by_slot.values().flat_map(|pairs| pairs.chunks(ENTRIES_PER_READ)) {
            let mut reads = pipe();
            for (key, (token, _)) in some {
                reads.cmd("ZSCORE").arg(key).arg(token.record.id.to_string());
            }
            let scores: Vec<Option<f64>> =
                self.store.with_connection(async |c| reads.query_async(c).await).await?;
            let until_ms = |score: f64| (score as u64 / CYCLE_S + 1) * 1000;
            let is_missing = |score: &Option<f64>, token: &Token| {
                score.is_none_or(|score| until_ms(score) < token.record.ends_at_ms)
            };
            let pairs = some.iter().zip(&scores).filter(|((_, (token, _)), score)| is_missing(score, token));
            missing.extend(pairs.map(|((_, pair), _)| *pair));
        }
        Ok(missing)
    }

    /// Checks objects' indexes: TTL, and members that are malformed or stale.
    pub(crate) async fn check_objects(
        &mut self,
        link: &MasterLink,
        names: Vec<(HashTag, String)>,
    ) -> Result<(), StoreError> {
        let mut objects = Vec::new();
        for (hash_tag, name) in names {
            match object_name(hash_tag, &name) {
                Some(object) => objects.push(object),
                None => self.add(Kind::WrongHashTag, false, &self.store.keys.key('r', hash_tag, &name)),
            }
        }
        let keys: Vec<_> = objects.iter().map(|object| self.store.keys.related_by_name(object)).collect();
        let item = |at: usize, member: &[u8]| {
            let object: &ObjectName = &objects[at];
            let args = vec![b"r".to_vec(), object.name.clone().into_bytes(), member.to_vec()];
            Item { hash_tag: object.hash_tag, key: keys[at].clone(), args }
        };
        let mut is_whole = vec![true; keys.len()];
        let mut pages = Pages::new("ZSCAN", keys.clone());
        while let Some(MemberPage { members, foreign }) = pages.next(link).await? {
            for at in foreign {
                is_whole[at] = false;
                self.add(Kind::ForeignType, false, &keys[at]);
            }
            let (mut malformed, mut entries) = (Vec::new(), Vec::new());
            for (at, member, score) in &members {
                match std::str::from_utf8(member).ok().and_then(TokenId::parse) {
                    Some(id) if self.is_old(score) => entries.push((*at, id)),
                    Some(_) => {}
                    None => malformed.push(item(*at, member)),
                }
            }
            self.check_sets(link, &malformed).await?;
            self.check_old_entries(&objects, &entries).await?;
            self.end_members(members.len()).await;
        }
        let ttls: Vec<_> = (0..keys.len()).filter(|at| is_whole[*at]).map(|at| item(at, b"")).collect();
        self.check_sets(link, &ttls).await
    }

    /// Lets the script check objects' indexes: their TTL, or a malformed member of each.
    async fn check_sets(&mut self, link: &MasterLink, items: &[Item]) -> Result<(), StoreError> {
        for (at, kind, is_repaired) in
            self.inspect(link, |scripts| &scripts.verify_reverse_index, items).await?
        {
            let Item { key, args, .. } = &items[at];
            self.add_member(kind, is_repaired, key, args.last().map_or(b"", Vec::as_slice));
        }
        Ok(())
    }

    /// Returns whether an entry is too old to be of a token that is being written, as lua/shared/reverse_index.lua decides.
    fn is_old(&self, score: &[u8]) -> bool {
        let score = std::str::from_utf8(score).ok().and_then(|score| score.parse::<f64>().ok());
        let written_s = score.unwrap_or_default() as u64 % CYCLE_S;
        let since_s = (self.now_ms() / 1000 + CYCLE_S - written_s) % CYCLE_S;
        (YOUNG_ENTRY_SECONDS..=CYCLE_S - YOUNG_ENTRY_SECONDS).contains(&since_s)
    }

    /// Reports the entries whose token is gone, revoked or does not name the object, and removes them if the run repairs.
    async fn check_old_entries(
        &mut self,
        objects: &[ObjectName],
        entries: &[(usize, TokenId)],
    ) -> Result<(), StoreError> {
        let mut tokens: HashMap<TokenId, Option<Token>> = HashMap::new();
        let decode = |id: TokenId, fields: Value| {
            // A corrupt record is reported under its own key.
            if let Ok(token) = codec::token(id, &fields, &Value::Nil) {
                tokens.insert(id, token);
            }
            Ok(())
        };
        let ids: BTreeSet<_> = entries.iter().map(|(_, id)| *id).collect();
        self.store.read_hashes_by_id(ids.into_iter(), |id| self.store.keys.token(id), decode).await?;
        let mut stale = BTreeMap::new();
        for (at, id) in entries {
            let Some(token) = tokens.get(id) else { continue };
            let is_revoked = token.as_ref().is_some_and(|token| !token.record.is_active);
            let names_it = |token: &Token| {
                let mut names = token.details.related_objects.iter().map(ObjectName::of);
                names.any(|object| object.name == objects[*at].name)
            };
            if is_revoked || !token.as_ref().is_some_and(names_it) {
                stale.insert((*at, *id), is_revoked);
            }
        }
        self.remove_stale(objects, stale).await
    }

    async fn remove_stale(
        &mut self,
        objects: &[ObjectName],
        stale: BTreeMap<(usize, TokenId), bool>,
    ) -> Result<(), StoreError> {
        let name = |at: usize| ObjectName { hash_tag: objects[at].hash_tag, name: objects[at].name.clone() };
        if self.options.repairs {
            let entries: Vec<_> = stale
                .iter()
                .map(|((at, id), is_revoked)| StaleEntry::Token {
                    object: name(*at),
                    id: *id,
                    is_revoked: *is_revoked,
                })
                .collect();
            self.store.remove_stale_entries(Priority::Normal, &entries, self.now_ms()).await;
        }
        for (at, id) in stale.into_keys() {
            let (key, id) = (self.store.keys.related_by_name(&objects[at]), id.to_string());
            // Removing them is best effort: an entry that was written again meanwhile stays.
            let is_left = !self.options.repairs || {
                let mut read = pipe();
                read.cmd("ZSCORE").arg(&key).arg(&id);
                let (score,): (Option<f64>,) =
                    self.store.with_connection(async |c| read.query_async(c).await).await?;
                score.is_some()
            };
            self.add_member(Kind::StaleObjectEntry, !is_left, &key, id.as_bytes());
        }
        Ok(())
    }
}
