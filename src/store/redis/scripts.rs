//! The Lua scripts, each with the prelude before it. What each is for stands at its top.

use redis::Script;

const PRELUDE: &str = include_str!("lua/prelude.lua");

/// Endings, and the renewals that keep people logged in, work when memory is full
/// (Redis documentation, "Script flags").
const ALLOW_OOM: &str = "#!lua flags=allow-oom\n";
/// Refused when memory is full.
const DENY_OOM: &str = "#!lua\n";
/// May run on a server that takes no writes.
const NO_WRITES: &str = "#!lua flags=no-writes\n";

/// All scripts, ready to be called: by hash, and sent whole where the server does not know the hash.
pub struct Scripts {
    pub(super) issue: Script,
    pub(super) read: Script,
    pub(super) change: Script,
    pub(super) end_user: Script,
    pub(super) touch: Script,
}

impl Scripts {
    /// Hashes the scripts; asks no server.
    pub fn new() -> Self {
        let script = |flags: &str, body: &str| Script::new(&[flags, PRELUDE, body].concat());
        Self {
            issue: script(DENY_OOM, include_str!("lua/issue.lua")),
            read: script(NO_WRITES, include_str!("lua/read.lua")),
            change: script(ALLOW_OOM, include_str!("lua/change.lua")),
            end_user: script(ALLOW_OOM, include_str!("lua/end_user.lua")),
            touch: script(ALLOW_OOM, include_str!("lua/touch.lua")),
        }
    }
}
