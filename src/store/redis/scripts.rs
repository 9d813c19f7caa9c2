//! The Lua scripts, each with what it shares with others before it. What each is for stands at its top.

use redis::Script;
use serde::Serialize;

/// Before every script.
const CONTEXT: &str = include_str!("lua/context.lua");
/// Before every script that changes something of a user.
const PRELUDE: &str = include_str!("lua/prelude.lua");
const DEVICES: &str = include_str!("lua/devices.lua");
const HINTS: &str = include_str!("lua/hints.lua");
const RELATED: &str = include_str!("lua/related.lua");
const ISSUING: &str = include_str!("lua/issuing.lua");

/// Endings, and the renewals that keep people logged in, work when memory is full
/// (Redis documentation, "Script flags").
const ALLOW_OOM: &str = "#!lua flags=allow-oom\n";
/// Refused when memory is full.
const DENY_OOM: &str = "#!lua\n";
/// May run on a server that takes no writes.
const NO_WRITES: &str = "#!lua flags=no-writes\n";

/// What every script is told first: ARGV[1], explained in lua/context.lua.
#[derive(Serialize)]
pub(super) struct Context<'a> {
    pub(super) prefix: &'a str,
    pub(super) shard: String,
    #[serde(rename = "now")]
    pub(super) now_ms: u64,
    pub(super) actor: String,
    #[serde(rename = "retention")]
    pub(super) retention_ms: u64,
    #[serde(rename = "grace")]
    pub(super) grace_ms: u64,
    pub(super) events: usize,
    #[serde(rename = "event_ttl")]
    pub(super) event_ttl_ms: u64,
}

/// All scripts, ready to be called: by hash, and sent whole where the server does not know the hash.
pub struct Scripts {
    pub(super) issue: Script,
    pub(super) read: Script,
    pub(super) change: Script,
    pub(super) end_user: Script,
    pub(super) reuse: Script,
    pub(super) hint: Script,
    pub(super) hint_takeover: Script,
    pub(super) unhint: Script,
    pub(super) relate: Script,
    pub(super) unrelate: Script,
    pub(super) related_end: Script,
    pub(super) takeover_start: Script,
    pub(super) takeover_end: Script,
    pub(super) device_make: Script,
    pub(super) device_change: Script,
    pub(super) device_remove: Script,
    pub(super) device_login: Script,
    pub(super) touch: Script,
}

impl Scripts {
    /// Hashes the scripts; asks no server.
    pub fn new() -> Self {
        let small = |flags: &str, body: &str| Script::new(&[flags, CONTEXT, body].concat());
        let script = |flags: &str, body: &str| small(flags, &[PRELUDE, body].concat());
        let issuing = |body: &str| script(DENY_OOM, &[ISSUING, body].concat());
        let devices = |flags: &str, body: &str| script(flags, &[DEVICES, body].concat());
        let hints = |flags: &str, body: &str| small(flags, &[HINTS, body].concat());
        let related = |flags: &str, body: &str| script(flags, &[RELATED, body].concat());
        Self {
            issue: issuing(include_str!("lua/issue.lua")),
            read: small(NO_WRITES, include_str!("lua/read.lua")),
            change: script(ALLOW_OOM, include_str!("lua/change.lua")),
            end_user: script(ALLOW_OOM, include_str!("lua/end_user.lua")),
            hint: hints(DENY_OOM, include_str!("lua/hint.lua")),
            hint_takeover: hints(DENY_OOM, include_str!("lua/hint_takeover.lua")),
            unhint: hints(ALLOW_OOM, include_str!("lua/unhint.lua")),
            relate: related(DENY_OOM, include_str!("lua/relate.lua")),
            unrelate: related(ALLOW_OOM, include_str!("lua/unrelate.lua")),
            related_end: related(ALLOW_OOM, include_str!("lua/related_end.lua")),
            reuse: script(ALLOW_OOM, include_str!("lua/reuse.lua")),
            takeover_start: script(DENY_OOM, include_str!("lua/takeover_start.lua")),
            takeover_end: script(ALLOW_OOM, include_str!("lua/takeover_end.lua")),
            device_make: devices(DENY_OOM, include_str!("lua/device_make.lua")),
            device_change: devices(ALLOW_OOM, include_str!("lua/device_change.lua")),
            device_remove: devices(ALLOW_OOM, include_str!("lua/device_remove.lua")),
            device_login: issuing(&[DEVICES, include_str!("lua/device_login.lua")].concat()),
            touch: script(ALLOW_OOM, include_str!("lua/touch.lua")),
        }
    }
}
