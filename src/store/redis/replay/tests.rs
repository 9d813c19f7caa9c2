//! What is remembered, and for how long.

use std::sync::Arc;

use super::aged_map::Bounds;
use super::entries::{
    Change, ChangeKey, Ending, EndingKey, HeardEnding, RememberedRevocation, RememberedToken,
};
use super::memory::{ReplayMemory, ReplaySize};
use super::packed_fields::PackedFields;
use crate::clock::Clock;
use crate::model::revoke_reason::RevokeReason;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::master_map::{MasterMap, MasterRegistry};
use crate::store::redis::cluster::slot_ranges::SlotRange;
use crate::store::redis::cluster::slots::SLOTS;
use crate::store::redis::schema::keys::Keys;
use crate::token_string::{HashTag, TokenId};

const WINDOW_MS: u64 = 60_000;
const NOW_MS: u64 = 1_000_000;

/// A memory with few places, and its clock.
fn memory() -> (ReplayMemory, Clock) {
    let clock = Clock::manual(NOW_MS);
    let few = Bounds { entries: 3, heap_bytes: 100 };
    (ReplayMemory::with_bounds(WINDOW_MS, clock.clone(), few, few, few), clock)
}

fn id(user: &str, number: u8) -> TokenId {
    TokenId::from_parts(HashTag::of_user(user), [number; 10])
}

fn revoked(id: TokenId) -> HeardEnding {
    HeardEnding::Token(id, RememberedRevocation { at_ms: 7, reason: Some(RevokeReason::Logout) })
}

fn token(text: &str) -> Change {
    let fields = PackedFields::of([b"u", text.as_bytes()].into_iter());
    Change::Token(RememberedToken { fields, last_access_ms: 0, alias: None })
}

/// Returns the tokens whose changes are remembered, with the texts of their fields.
fn changes(memory: &ReplayMemory) -> Vec<(ChangeKey, String)> {
    let changes = memory.changes(&memory.change_keys(u64::MAX));
    let text = |change: &Change| match change {
        Change::Token(token) => String::from_utf8(token.fields.parts().nth(1).unwrap().to_vec()).unwrap(),
        _ => String::new(),
    };
    changes.iter().map(|(key, change)| (*key, text(change))).collect()
}

/// Returns the map of two masters, each with half of the slots.
fn two_masters() -> MasterMap {
    let half = SLOTS as u16 / 2;
    let range = |first, last, host: &str| SlotRange {
        first,
        last,
        address: ServerAddress::tcp(host, 1),
        node_id: host.into(),
        replicas: Vec::new(),
    };
    let ranges = vec![range(0, half - 1, "a"), range(half, SLOTS as u16 - 1, "b")];
    MasterRegistry::new(Keys::new("dw:")).by_slot(&MasterMap::of_one(None), ranges).unwrap()
}

#[test]
fn a_later_change_takes_the_place_of_the_earlier_one() {
    let (memory, _) = memory();
    let key = ChangeKey::Token(id("alice", 1));
    memory.keep(key, token("first"));
    memory.keep(key, token("second"));
    assert_eq!(changes(&memory), [(key, "second".to_owned())]);
}

#[test]
fn a_revoked_token_is_not_remembered_as_changed() {
    let (memory, _) = memory();
    let [before, after] = [id("alice", 1), id("alice", 2)];
    assert!(!memory.is_revoked(&before));
    memory.keep(ChangeKey::Token(before), token("changed, then revoked"));
    memory.hear(revoked(before));
    memory.hear(revoked(after));
    memory.keep(ChangeKey::Token(after), token("revoked, then changed"));
    assert_eq!(changes(&memory), []);
    assert!(memory.is_revoked(&before) && memory.is_revoked(&after) && !memory.is_revoked(&id("bob", 1)));

    let device = id("alice", 3);
    memory.hear(HeardEnding::Other(EndingKey::Device(device), Ending::DeviceRemoved));
    memory.keep(ChangeKey::Device(device), Change::Device(PackedFields::of([].into_iter())));
    assert_eq!(changes(&memory), []);
}

#[test]
fn at_a_bound_the_oldest_entries_are_forgotten_and_counted() {
    let (memory, _) = memory();
    for number in 0..5 {
        memory.hear(revoked(id("alice", number)));
        memory.keep(ChangeKey::Token(id("bob", number)), token(&"x".repeat(50)));
    }
    let size = ReplaySize { revocations: 3, endings: 0, changes: 1, change_bytes: 59, forgotten: 2 + 4 };
    assert_eq!(memory.size(), size);
    assert!(!memory.is_revoked(&id("alice", 1)) && memory.is_revoked(&id("alice", 2)));
}

#[test]
fn an_entry_is_forgotten_a_window_later_if_its_master_was_proven() {
    let (memory, clock) = memory();
    let map = two_masters();
    let of_master = |master: &str| {
        let mut users = (0..).map(|n| format!("user {n}"));
        let is_there =
            |user: &String| map.owner_of(HashTag::of_user(user)).unwrap().address.to_string() == master;
        id(&users.find(is_there).unwrap(), 1)
    };
    let [a, b] = ["a:1", "b:1"].map(of_master);
    memory.hear(revoked(a));
    memory.hear(revoked(b));
    memory.keep(ChangeKey::Token(a), token("a"));
    memory.keep(ChangeKey::Token(id("carol", 1)), token("carol"));
    let prove = |master: usize| memory.master_proven(&map, &map.masters[master], clock.boottime_ms());
    let known = || (memory.is_revoked(&a), memory.is_revoked(&b), memory.size().changes);

    clock.advance_ms(WINDOW_MS - 1);
    prove(0);
    assert_eq!(known(), (true, true, 1), "not a window old; a is revoked, so its change is not remembered");
    clock.advance_ms(1000);
    prove(0);
    assert_eq!(known(), (false, true, 1), "b may be away; a change has entries everywhere");
    clock.advance_ms(10 * WINDOW_MS);
    prove(0);
    assert_eq!(known(), (false, true, 1), "however long the outage");
    clock.advance_ms(1000);
    prove(1);
    assert_eq!(known(), (false, false, 0));
    assert!(memory.is_empty());
}

#[test]
fn a_window_of_zero_remembers_nothing() {
    let memory = ReplayMemory::new(0, Clock::manual(NOW_MS));
    memory.hear(revoked(id("alice", 1)));
    memory.keep(ChangeKey::Token(id("alice", 2)), token("x"));
    assert!(memory.is_empty() && !memory.is_on());
}

#[test]
fn the_table_of_what_is_remembered_has_every_script_that_writes() {
    let table = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    let first_cells = table.filter_map(|row| row.split(" | ").next());
    let mut told: Vec<_> =
        first_cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/redis/schema/lua");
    let files =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = files.filter_map(|file| Some(file.strip_suffix(".lua")?.to_owned()));
    let is_told =
        |name: &String| !["read_", "check_", "verify_", "merge_"].iter().any(|start| name.starts_with(start));
    let mut writing: Vec<_> = names.filter(is_told).collect();
    told.sort_unstable();
    writing.sort_unstable();
    assert_eq!(told, writing);
}

#[test]
fn debug_output_shows_sizes_only() {
    let memory = Arc::new(memory().0);
    memory.keep(ChangeKey::Token(id("alice", 2)), token("secret"));
    let shown = format!("{memory:?}");
    assert!(shown.contains("changes: 1") && !shown.contains("secret") && !shown.contains("115"), "{shown}");
}
