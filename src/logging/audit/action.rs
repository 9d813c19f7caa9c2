//! The actions that the audit log knows.

use crate::named_enum::named_enum;

named_enum! {
    /// The kind of a change.
    pub enum Action {
        /// Issue a token.
        TokenIssue => "token.issue",
        /// Import sessions of another system.
        TokenImport => "token.import",
        /// Change a token's fields.
        TokenChange => "token.change",
        /// Revoke a token.
        TokenRevoke => "token.revoke",
        /// Give a token a new secret.
        TokenRotate => "token.rotate",
        /// Confirm the second factor of a token.
        TokenConfirm => "token.confirm",
        /// Relate a token to an object.
        TokenRelate => "token.relate",
        /// Unrelate a token from an object.
        TokenUnrelate => "token.unrelate",
        /// Revoke the tokens of a user.
        UserRevoke => "user.revoke",
        /// Lock a user: every token is refused, and none is lost.
        UserLock => "user.lock",
        /// Unlock a user.
        UserUnlock => "user.unlock",
        /// Erase a user: tokens, device keys, takeovers and events.
        UserErase => "user.erase",
        /// Revoke the tokens of a related object.
        ObjectRevoke => "object.revoke",
        /// Start a takeover.
        TakeoverStart => "takeover.start",
        /// End a takeover.
        TakeoverEnd => "takeover.end",
        /// Make a device key.
        DeviceCreate => "device.create",
        /// Change a device key.
        DeviceChange => "device.change",
        /// Give a device key a new login token.
        DeviceRotate => "device.rotate",
        /// Remove a device key.
        DeviceRemove => "device.remove",
        /// Log in with a device key.
        DeviceLogin => "device.login",
        /// Set a cut-off.
        CutoffSet => "cutoff.set",
        /// Remove a cut-off.
        CutoffRemove => "cutoff.remove",
        /// Read something. Logged only if the API key is unknown or lacks the scope.
        Read => "read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_documented_once() {
        let page = include_str!("../../../docs/logs.md");
        for action in Action::ALL {
            let row = format!("\n| `{}` |", action.name());
            assert_eq!(page.matches(&row).count(), 1, "{row}");
        }
    }
}
