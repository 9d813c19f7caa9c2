//! The catalogue of scripts. The head of each Lua file says what it does, why it is a script, its arguments and its result.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::Serialize;

use super::script::{NO_WRITES, Script};
use super::script_guard::{commands_in, guard, kinds_in, short_guard};

/// The source of a Lua file.
macro_rules! lua {
    ($name:literal) => {
        include_str!(concat!("lua/", $name, ".lua"))
    };
}

/// Starts every script.
const CONTEXT: &str = lua!("shared/context");
/// The start of the line in [`CONTEXT`] and [`SHORT_CONTEXT`] that the permission check replaces.
const GUARD_MARK: &str = "-- PERMISSIONS:";
/// Precedes the scripts that change a user's data.
const USER: &str = concat!(
    lua!("shared/decimal"),
    lua!("shared/events"),
    lua!("shared/user_index"),
    lua!("shared/tokens"),
    lua!("shared/takeovers"),
    lua!("shared/revocation"),
);
const DEVICES: &str = lua!("shared/devices");
const TERMS: &str = lua!("shared/terms");
const SECRETS: &str = lua!("shared/secrets");
const REVERSE_INDEX: &str = lua!("shared/reverse_index");
const RELATED: &str = lua!("shared/related_objects");
/// Makes a script run once for each request; its script includes it last.
const ONCE: &str = lua!("shared/once");
const CUTOFFS: &str = lua!("shared/cutoffs");
/// Starts the scripts of the most frequent changes, instead of [`CONTEXT`].
const SHORT_CONTEXT: &str = lua!("shared/short_context");
/// The start of the line in such a script that [`SHORT_INDEX`] replaces.
const INDEX_MARK: &str = "-- INDEX:";
const SHORT_INDEX: &str = concat!(
    lua!("shared/short_index"),
    lua!("shared/decimal"),
    lua!("shared/user_index"),
    lua!("shared/index_entries"),
);
/// The start of the line in such a script that [`SHORT_EVENT`] replaces.
const EVENT_MARK: &str = "-- EVENT:";
const SHORT_EVENT: &str = lua!("shared/short_event");
/// Follows [`USER`] in the scripts that make room for a token.
const MAKING_ROOM: &str =
    concat!(lua!("shared/index_entries"), lua!("shared/issuing"), lua!("shared/making_room"));
/// Follows [`USER`] in the scripts whose endings must not be undone by a merge.
const TRACES: &str = lua!("shared/traces");
/// Follows [`USER`] in the scripts that merge what a node remembers.
const MERGING: &str = concat!(lua!("shared/traces"), lua!("shared/merging"));
/// Precedes [`CUTOFFS`] in the scripts about removed cut-offs.
const CUTOFF_TRACES: &str = concat!(lua!("shared/decimal"), lua!("shared/traces"));
const LOCKS: &str = lua!("shared/locks");
/// Follows [`DEVICES`] in the scripts that erase.
const ERASURE: &str = lua!("shared/erasure");
const TAKEOVER_HISTORY: &str = concat!(lua!("shared/reverse_index"), lua!("shared/takeover_history"));

/// The first line of a script that works when memory is full: revocations, and the renewals that keep people logged in
/// (Redis documentation, "Script flags").
const ALLOW_OOM: &str = "#!lua flags=allow-oom\n";
/// The first line of a script that is refused when memory is full.
const DENY_OOM: &str = "#!lua\n";

/// The first argument of every script; lua/shared/context.lua explains the fields.
#[derive(Serialize)]
pub(crate) struct Context<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) hash_tag: String,
    pub(crate) now_ms: u64,
    pub(crate) tolerance_ms: Option<u64>,
    pub(crate) actor: String,
    pub(crate) channel: &'a str,
    pub(crate) retention_ms: u64,
    pub(crate) grace_ms: u64,
    pub(crate) max_events: usize,
    pub(crate) event_ttl_ms: u64,
}

/// All scripts, named like their Lua files. `_once` are variants for requests with `Idempotency-Key`.
pub(crate) struct Scripts {
    pub(crate) read_token: Script,
    pub(crate) issue_token: Script,
    pub(crate) issue_token_at_limit: Script,
    pub(crate) issue_token_once: Script,
    pub(crate) import_token: Script,
    pub(crate) revoke_token: Script,
    pub(crate) rotate_token: Script,
    pub(crate) change_token: Script,
    pub(crate) change_token_once: Script,
    pub(crate) touch_tokens: Script,
    pub(crate) revoke_user_tokens: Script,
    pub(crate) revoke_reused_token: Script,
    pub(crate) revoke_object_token: Script,
    pub(crate) relate_object: Script,
    pub(crate) unrelate_object: Script,
    pub(crate) add_object_entry: Script,
    pub(crate) add_device_entry: Script,
    pub(crate) add_takeover_entry: Script,
    pub(crate) remove_stale_entries: Script,
    pub(crate) start_takeover: Script,
    pub(crate) end_takeover: Script,
    pub(crate) make_device: Script,
    pub(crate) make_device_once: Script,
    pub(crate) change_device: Script,
    pub(crate) rotate_device: Script,
    pub(crate) remove_device: Script,
    pub(crate) log_in_device: Script,
    pub(crate) lock_user: Script,
    pub(crate) erase_user: Script,
    pub(crate) set_cutoff: Script,
    pub(crate) remove_cutoff: Script,
    pub(crate) hold_walk: Script,
    pub(crate) report_node: Script,
    pub(crate) keep_answer: Script,
    pub(crate) merge_revocations: Script,
    pub(crate) merge_tokens: Script,
    pub(crate) merge_takeover: Script,
    pub(crate) merge_takeover_end: Script,
    pub(crate) merge_device: Script,
    pub(crate) merge_device_end: Script,
    pub(crate) merge_lock: Script,
    pub(crate) merge_erasure: Script,
    pub(crate) merge_cutoff: Script,
    /// Every command that these scripts call, sorted.
    pub(crate) commands: Vec<String>,
}

impl Scripts {
    /// Assembles and hashes the scripts, without a call to a server.
    pub fn new() -> Self {
        let commands = RefCell::new(BTreeSet::new());
        let keep = |(script, used): (Script, BTreeSet<String>)| {
            commands.borrow_mut().extend(used);
            script
        };
        let script = |flags: &str, parts: &[&str]| keep(guarded(flags, &parts.concat()));
        let short = |flags: &str, parts: &[&str]| keep(short_script(flags, &parts.concat()));
        Self {
            read_token: script(NO_WRITES, &[lua!("read_token")]),
            issue_token: short(DENY_OOM, &[lua!("issue_token")]),
            issue_token_at_limit: script(DENY_OOM, &[USER, MAKING_ROOM, lua!("issue_token_at_limit")]),
            issue_token_once: script(DENY_OOM, &[USER, MAKING_ROOM, ONCE, lua!("issue_token_at_limit")]),
            import_token: script(DENY_OOM, &[USER, MAKING_ROOM, lua!("import_token")]),
            revoke_token: short(ALLOW_OOM, &[lua!("revoke_token")]),
            rotate_token: short(ALLOW_OOM, &[SECRETS, lua!("rotate_token")]),
            change_token: script(ALLOW_OOM, &[USER, TERMS, SECRETS, lua!("change_token")]),
            change_token_once: script(DENY_OOM, &[USER, TERMS, SECRETS, ONCE, lua!("change_token")]),
            touch_tokens: script(ALLOW_OOM, &[USER, TERMS, lua!("touch_tokens")]),
            revoke_user_tokens: script(ALLOW_OOM, &[USER, lua!("revoke_user_tokens")]),
            revoke_reused_token: script(ALLOW_OOM, &[USER, SECRETS, lua!("revoke_reused_token")]),
            revoke_object_token: script(ALLOW_OOM, &[USER, RELATED, lua!("revoke_object_token")]),
            relate_object: script(DENY_OOM, &[USER, TERMS, RELATED, lua!("relate_object")]),
            unrelate_object: script(ALLOW_OOM, &[USER, RELATED, lua!("unrelate_object")]),
            add_object_entry: script(DENY_OOM, &[REVERSE_INDEX, lua!("add_object_entry")]),
            add_device_entry: script(DENY_OOM, &[REVERSE_INDEX, lua!("add_device_entry")]),
            add_takeover_entry: script(DENY_OOM, &[REVERSE_INDEX, lua!("add_takeover_entry")]),
            remove_stale_entries: script(ALLOW_OOM, &[REVERSE_INDEX, lua!("remove_stale_entries")]),
            start_takeover: script(DENY_OOM, &[USER, TAKEOVER_HISTORY, lua!("start_takeover")]),
            end_takeover: script(ALLOW_OOM, &[USER, lua!("end_takeover")]),
            make_device: script(DENY_OOM, &[USER, DEVICES, lua!("make_device")]),
            make_device_once: script(DENY_OOM, &[USER, DEVICES, ONCE, lua!("make_device")]),
            change_device: script(ALLOW_OOM, &[USER, DEVICES, lua!("change_device")]),
            rotate_device: script(ALLOW_OOM, &[USER, DEVICES, lua!("rotate_device")]),
            remove_device: script(ALLOW_OOM, &[USER, DEVICES, TRACES, lua!("remove_device")]),
            log_in_device: script(DENY_OOM, &[USER, MAKING_ROOM, DEVICES, lua!("log_in_device")]),
            lock_user: script(ALLOW_OOM, &[USER, LOCKS, TRACES, lua!("lock_user")]),
            erase_user: script(ALLOW_OOM, &[USER, DEVICES, ERASURE, TRACES, lua!("erase_user")]),
            set_cutoff: script(ALLOW_OOM, &[CUTOFFS, lua!("set_cutoff")]),
            remove_cutoff: script(ALLOW_OOM, &[CUTOFF_TRACES, CUTOFFS, lua!("remove_cutoff")]),
            hold_walk: script(ALLOW_OOM, &[CUTOFFS, lua!("hold_walk")]),
            report_node: script(ALLOW_OOM, &[lua!("report_node")]),
            keep_answer: script(DENY_OOM, &[lua!("keep_answer")]),
            merge_revocations: script(ALLOW_OOM, &[USER, MERGING, lua!("merge_revocations")]),
            merge_tokens: script(
                ALLOW_OOM,
                &[USER, TERMS, SECRETS, lua!("shared/index_entries"), MERGING, lua!("merge_tokens")],
            ),
            merge_takeover: script(ALLOW_OOM, &[USER, TAKEOVER_HISTORY, MERGING, lua!("merge_takeover")]),
            merge_takeover_end: script(ALLOW_OOM, &[USER, MERGING, lua!("merge_takeover_end")]),
            merge_device: script(ALLOW_OOM, &[USER, DEVICES, MERGING, lua!("merge_device")]),
            merge_device_end: script(ALLOW_OOM, &[USER, DEVICES, MERGING, lua!("merge_device_end")]),
            merge_lock: script(ALLOW_OOM, &[USER, LOCKS, MERGING, lua!("merge_lock")]),
            merge_erasure: script(
                ALLOW_OOM,
                &[USER, DEVICES, REVERSE_INDEX, ERASURE, MERGING, lua!("merge_erasure")],
            ),
            merge_cutoff: script(ALLOW_OOM, &[CUTOFF_TRACES, CUTOFFS, lua!("merge_cutoff")]),
            commands: commands.into_inner().into_iter().collect(),
        }
    }
}

/// The scripts of `doorward verify`.
pub(crate) struct VerificationScripts {
    pub(crate) verify_tokens: Script,
    pub(crate) verify_index: Script,
    pub(crate) verify_histories: Script,
    pub(crate) verify_devices: Script,
    pub(crate) verify_device_maps: Script,
    pub(crate) verify_reverse_index: Script,
}

impl VerificationScripts {
    /// Assembles the scripts. Without `repairs`, Redis itself refuses their writes, and they need no permission to write.
    pub(crate) fn new(repairs: bool) -> Self {
        let script = |parts: &[&str]| {
            let body = parts.concat();
            if repairs {
                guarded(ALLOW_OOM, &body).0
            } else {
                Script::new([NO_WRITES, CONTEXT, &body].concat())
            }
        };
        let common = lua!("shared/verification");
        let entries = lua!("shared/index_entries");
        Self {
            verify_tokens: script(&[USER, entries, TAKEOVER_HISTORY, common, lua!("verify_tokens")]),
            verify_index: script(&[USER, common, lua!("verify_index")]),
            verify_histories: script(&[USER, TAKEOVER_HISTORY, common, lua!("verify_histories")]),
            verify_devices: script(&[USER, common, lua!("verify_devices")]),
            verify_device_maps: script(&[USER, DEVICES, common, lua!("verify_device_maps")]),
            verify_reverse_index: script(&[REVERSE_INDEX, common, lua!("verify_reverse_index")]),
        }
    }
}

/// Makes a script that checks the permissions before it writes. Returns the commands that it calls, too.
fn guarded(flags: &str, body: &str) -> (Script, BTreeSet<String>) {
    let used = commands_in(&[CONTEXT, body].concat());
    let context = CONTEXT.replacen(GUARD_MARK, &(guard(&used, &kinds_in(body)) + "--"), 1);
    (Script::new([flags, &context, body].concat()), used)
}

/// Makes a script that starts with [`SHORT_CONTEXT`]. Returns the commands that it calls, too.
fn short_script(flags: &str, body: &str) -> (Script, BTreeSet<String>) {
    let body = body.replacen(INDEX_MARK, &(SHORT_INDEX.to_owned() + "--"), 1);
    let body = body.replacen(EVENT_MARK, &(SHORT_EVENT.to_owned() + "--"), 1);
    let used = commands_in(&[SHORT_CONTEXT, &body].concat());
    let context = SHORT_CONTEXT.replacen(GUARD_MARK, &(short_guard(&used) + "--"), 1);
    (Script::new([flags, &context, &body].concat()), used)
}

/// The script that finds missing permissions (inspection/permissions.rs).
pub(crate) fn permissions_script() -> Script {
    Script::new([NO_WRITES, lua!("check_permissions")].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_guarded() {
        assert_eq!(CONTEXT.matches(GUARD_MARK).count(), 1);
        assert_eq!(SHORT_CONTEXT.matches(GUARD_MARK).count(), 1);
        assert!(Scripts::new().commands.contains(&"ZREVRANGE".to_owned()));
    }
}
