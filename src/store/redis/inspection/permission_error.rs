//! Permission errors of Redis, recognised by their texts, which name the command and never a key or a value.
//!
//! | server | answer to a command | answer to a command in a script |
//! |---|---|---|
//! | Redis 7.0 | `NOPERM this user has no permissions to run the 'x' command` | `ERR The user executing the script can't run this command` |
//! | | `… to access one of the keys used as arguments` | `… can't access at least one of the keys …` |
//! | | `… to access one of the channels used as arguments` | `… can't publish to the channel …` |
//! | Redis 7.2, Valkey | `NOPERM User u has no permissions to run the 'x' command` | `ERR ACL failure in script: User u has no …` |
//! | | `NOPERM No permissions to access a key` | `ERR ACL failure in script: No permissions to access a key` |
//! | | `NOPERM No permissions to access a channel` | `ERR ACL failure in script: No permissions to access a channel` |
//!
//! Doorward's scripts check before they write (script_guard.rs) and answer `DWDENIED <command>`.

use std::fmt;

use redis::RedisError;

/// A permission that the Redis user lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PermissionError {
    /// Run this command, in capitals; empty if the error does not name it.
    Command(String),
    /// Access some of the keys of a command.
    Keys,
    /// Use the channel of a command.
    Channel,
}

impl PermissionError {
    /// Returns the permission error that this error is, if it is one.
    pub(crate) fn in_error(error: &RedisError) -> Option<Self> {
        Self::read(error.code()?, error.detail().unwrap_or_default())
    }

    /// Reads the line of an error as the server sends it: the code, then the text.
    pub(crate) fn in_text(text: &str) -> Option<Self> {
        let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
        Self::read(code, detail)
    }

    fn read(code: &str, detail: &str) -> Option<Self> {
        match code {
            "DWDENIED" => return Some(Self::Command(detail.trim().to_owned())),
            "NOPERM" => {}
            "ERR" if detail.starts_with("The user executing the script can't") => {}
            "ERR" if detail.starts_with("ACL failure in script") => {}
            _ => return None,
        }
        let named = detail.split_once("run the '").and_then(|(_, rest)| rest.split_once('\''));
        Some(match named {
            Some((command, _)) => Self::Command(command.to_ascii_uppercase()),
            None if detail.contains("run this command") => Self::Command(String::new()),
            None if detail.contains("channel") => Self::Channel,
            None => Self::Keys,
        })
    }
}

impl fmt::Display for PermissionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(name) if name.is_empty() => {
                f.write_str("the redis user may not run a command of a script")
            }
            Self::Command(name) => write!(f, "the redis user may not run {name}"),
            Self::Keys => f.write_str("the redis user may not access a key"),
            Self::Channel => f.write_str("the redis user may not access the channel of events"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_of_every_server_are_recognised() {
        let command = |name: &str| Some(PermissionError::Command(name.into()));
        for (text, expected) in [
            ("DWDENIED PUBLISH", command("PUBLISH")),
            ("NOPERM this user has no permissions to run the 'hmget' command", command("HMGET")),
            (
                "NOPERM User key has no permissions to run the 'client|tracking' command",
                command("CLIENT|TRACKING"),
            ),
            (
                "ERR ACL failure in script: User u has no permissions to run the 'hkeys' command",
                command("HKEYS"),
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: 1f, on @user_script:1.",
                command(""),
            ),
            (
                "NOPERM this user has no permissions to access one of the keys used as arguments",
                Some(PermissionError::Keys),
            ),
            ("NOPERM No permissions to access a key", Some(PermissionError::Keys)),
            (
                "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
                Some(PermissionError::Keys),
            ),
            (
                "NOPERM this user has no permissions to access one of the channels used as arguments",
                Some(PermissionError::Channel),
            ),
            ("ERR ACL failure in script: No permissions to access a channel", Some(PermissionError::Channel)),
            (
                "ERR The user executing the script can't publish to the channel mentioned in the command",
                Some(PermissionError::Channel),
            ),
            ("ERR wrong number of arguments", None),
            ("WRONGTYPE Operation against a key", None),
            ("", None),
        ] {
            assert_eq!(PermissionError::in_text(text), expected, "{text}");
        }
    }
}
