//! What is in Redis: keys, fields and the scripts that change them.

pub mod codec;
pub mod keys;
pub mod script;
pub mod script_guard;
pub mod scripts;
