//! Reload: the settings of a running server are read again and taken over as a whole, or refused as a whole.
//!
//! | part | what it is |
//! |---|---|
//! | `worker` | starts a reload at SIGHUP; replaces certificates whose files change |
//! | `reloader` | prepares every part of a reload, and only then uses them |
//! | `status` | the outcome of the last reload |

pub mod reloader;
pub mod status;
