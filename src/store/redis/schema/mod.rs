//! What Doorward keeps in Redis: keys, fields, and the scripts that change them. This page describes the schema; other
//! places link here. Its version is [`SCHEMA_VERSION`](keys::SCHEMA_VERSION).
//!
//! # Keys
//!
//! `dw:` stands for the setting `key-prefix`. `{s}` is the hash tag of a user: 2 bytes of BLAKE3 over the user id, as four
//! hex digits. It is in every key of the user, so they are all in one slot, and its two bytes begin every token of the user.
//! `{o}` is the hash tag of a related object, made from its name, and `{a}` and `{n}` are hash tags of an alias and of
//! a request, made likewise. A `<locator>` is 14 characters of base64url.
//!
//! | key | type | content | TTL |
//! |---|---|---|---|
//! | `dw:t:{s}:<locator>` | hash | a token; the only keys under client tracking | until its expiry; once revoked, `revoked-retention`; `stale-grace` longer |
//! | `dw:u:{s}:<user>` | sorted set | the index of the user's tokens: expiry, last access, order of creation | until the longest-lived token expires |
//! | `dw:o:{s}:<locator>` | hash | the takeovers of the token with this locator ([`codec::takeover`]) | until the hard end of the last one and `takeover-retention` |
//! | `dw:a:{s}:<user>` | sorted set | the user's tokens with takeovers, which may be gone themselves: an erasure finds their takeovers here | until the longest-lived entry expires |
//! | `dw:v:{s}:<user>` | sorted set | reverse index: the takeovers of this user, by the token that acts | until the longest-lived entry expires |
//! | `dw:e:{s}:<user>` | list | the user's events, newest first ([`codec::event`]) | `event-retention` after the last event |
//! | `dw:d:{s}:<locator>` | hash | a device key; its login token has the same locator ([`codec::device`]) | `device-max-idle` after the last login |
//! | `dw:k:{s}:<user>` | hash | the user's device keys: uuid to locator and expiry ([`codec::device`]) | until the longest-lived key expires |
//! | `dw:l:{s}:<user>` | string | the marker of a locked user: since when (ms). No token is issued to the user, and each token has flag 32 | none: a lock lasts until it is removed |
//! | `dw:r:{o}:<object>` | sorted set | reverse index: the ids of an object's tokens; `<object>` is a hash of type and id | until the longest-lived entry expires |
//! | `dw:f:{a}:<alias>` | string | the id of an imported token, by the digest of its foreign string (`src/foreign`); written after the record | until the token's latest end |
//! | `dw:g:{a}:<uuid>` | sorted set | reverse index: the ids of the device keys that were imported with a uuid, by its digest, written after the keys; an entry without a key keeps a removed key from being imported again | until the longest-lived entry expires |
//! | `dw:i:{n}:<request>` | string | a request with `Idempotency-Key`, by the hash of its name: the hash of its body (16 bytes), and the answer of an import ([`idempotency`](crate::model::idempotency)) | 10 min |
//! | `dw:j:{s}:<request>` | string | the id of the token that the request has made, or nothing for a device key; in the user's slot, so it is written with the change | 10 min |
//! | `dw:q:{s}:<locator>` | string | a trace of an ending ([`replay`](crate::store::redis::replay)), left by a merge or by the removal of a device key: the token, takeover or device key must not come back. Empty; of a takeover, when it ended (ms); of a deactivated device key, the version. `dw:q:{01c1}:<name>`: when the cut-off was removed (ms) | `revoked-retention`, but at least 2 × `replay-window` and a minute |
//! | `dw:y:{s}:<user>` | hash | traces of a user: `e` when the user was erased, `l` when last unlocked (ms) | likewise |
//! | `dw:m:check-key` | string | the token key that all nodes share: it signs unless `token-keys` is set, and always verifies | none |
//! | `dw:m:schema` | string | the schema version | none |
//! | `dw:m:{01c1}:cutoffs` | hash | the cut-offs: name to time, time of setting and progress ([`codec::cutoff`]); in one slot, so all of them are read and set in one step | none |
//! | `dw:m:{01c1}:walk` | string | the random name of the node that walks over all tokens, for the cut-offs | 10 s after its last step |
//! | `dw:m:{703f}:nodes` | hash | the nodes' reports about themselves: random name of the node to the time of writing and the report ([`codec::node_report`]); no data of a token, and under no client tracking | 5 min after the last report |
//! | `dw:m:merging:{s}` | string | empty: a node is merging what it remembers into the master of this slot, the first one that can have tokens | 3 s after its last sign |
//! | `dw:m:probe`, `dw:m:probe:{s}` | | never exist: deleting one checks that the server takes writes; on a Cluster, in a slot of that master | |
//! | `dw:events:<db>:endings` | channel | the events that every node hears as they happen: revocations, ends of takeovers and device keys, locks, erasures, cut-offs; channels are not divided by database | |
//! | `dw:events:<db>` | channel | all other events; a node subscribes while somebody reads its feed | |
//! | `dw:events:<db>:probe:…` | channel | on a Cluster, a node's probes of the cluster bus | |
//!
//! # Members of sorted sets
//!
//! The scores of a user's index are in ranges of their own, so each question of a script is one range or one count, however
//! many tokens there are. A token has two or three members:
//!
//! | set | member | score |
//! |---|---|---|
//! | `dw:u` | `#<locator>`, of a token that is not revoked, once the user has two of them; so the first member of the set names the oldest token | creation − 2^51, ms |
//! | `dw:u` | `@<locator>` | minus the last access, ms |
//! | `dw:u` | `<locator>` | until when the token is kept, ms; of a revoked token that + 2^50 |
//! | `dw:a` | `<locator>` | until when the token's takeovers are kept, ms |
//! | `dw:v` | `<token id><takeover's locator>` | until when the takeover is kept, ms |
//! | `dw:g` | `<device key's id>` | until when the device key is kept, ms |
//! | `dw:r` | `<token id>` | until when the token can be kept: its latest expiry and the grace (s) × 2^20 + time of writing (s) modulo 2^20 |
//!
//! The time of writing distinguishes a stale entry from one whose token is being written just now (operations/reverse_index.rs).
//!
//! # Bounds
//!
//! Redis has no TTL per member or field, so nothing in an index expires on its own. Each write to an index removes up to 8
//! expired entries of each range (`PRUNED_PER_WRITE`), and the index lives as long as its longest-lived entry.
//! `tests/store/model/audit.rs` checks these rules after each step of its random histories.
//!
//! | entries of | are removed |
//! |---|---|
//! | `dw:u`, `dw:k` | with the token or device key, if a script removes it; once expired, by later writes, which look at up to 8 keys of a user with more than 32 device keys |
//! | `dw:a` | once expired, by later writes |
//! | `dw:g` | once expired, by later writes |
//! | `dw:v` | once expired, by later writes; at once if the takeover was refused or erased. The early end of a takeover shortens its entry to `takeover-retention` from then |
//! | `dw:r` | when the token is revoked; when the object is taken from the token or its tokens are listed or revoked, if the token does not name it and the entry is a minute old; once expired, by later writes |
//! | field `p` of a token | when eight later secrets are remembered as rotated out |
//! | field `q` of a token | a minute later with the next change of the token's related objects, or when the token is revoked |
//! | field `t` of a token | when the takeover ends, or the next one starts |
//! | `dw:m:{…}:nodes` | when the node stops; once a report is 5 min old, or of the oldest nodes above 128, by the first report of another node |
//!
//! An erasure of the user removes all keys of the user except the marker of a lock, `dw:j` and traces, and the entries of these in other slots.
//!
//! # Fields of a token
//!
//! Names are one letter and numbers are packed, because each byte exists once per session. Validation reads the first
//! eleven, which come first because Redis searches a small hash from its start.
//!
//! | field | content | form |
//! |---|---|---|
//! | `u` | user | text |
//! | `i` | idle_ms, ends_at_ms, backend: what validation needs and seldom changes | MessagePack |
//! | `h` | hash of the secret | 16 bytes |
//! | `x` | expires_at_ms | decimal |
//! | `f` | flags: 1 active, 2 cookie allowed, 4 header allowed, 8 expiration, 16 second factor pending, 32 its user is locked | decimal |
//! | `c` | created_at_ms | decimal |
//! | `s` | auth slug, if there is one | text |
//! | `d` | uuid of the device key that logged it in, if one did | text |
//! | `o` | scopes, if there are any, with a space between two | text |
//! | `t` | the takeover under way, if there is one: its locator, the user taken over, hard end (ms), start (ms), the reason or '' | MessagePack |
//! | `p` | secrets besides the current one, oldest first: hash and deadline (ms) of each, 0 for a sibling (lua/shared/secrets.lua) | 16 bytes and 13 digits each |
//! | `z` | address, user agent ([`codec::user_agent`]), and of an imported token its origin: what validation does not need and never changes | MessagePack |
//! | `r` | related objects, if there are any: content type and object id of each | MessagePack |
//! | `q` | objects taken from it within a minute: content type, object id, when (ms); their reverse-index entries may be left | MessagePack |
//! | `e` | revoked_at_ms, once revoked | decimal |
//! | `w` | why it was revoked, once it was | text |
//! | `m` | the version: when it was last changed (ms), but later than the version before; without it, `c` counts. Imports have it; touches and the end make no version | decimal |
//!
//! # Scripts
//!
//! A change of related keys is one script in `lua/`, whose head says why. It refuses with `DWCLOCK` if the caller's clock is
//! more than 5 s from the server's, which the caller answers with 503. A change and its events are one script: it writes the
//! history and publishes on `dw:events:<db>`, from which every node fills its live feed. If memory is full, scripts that add
//! something are refused, and all others work ([`scripts`]).
//!
//! A token is issued, revoked or rotated by a short script if its case is the usual one (`lua/shared/short_context.lua`). In
//! any other case, the short script does nothing and says so, and the caller runs the script that knows all cases.

pub mod codec;
pub mod keys;
pub mod script;
pub mod script_guard;
pub mod scripts;
