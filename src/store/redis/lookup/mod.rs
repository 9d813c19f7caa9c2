//! Look-ups of tokens: the near cache, else a pipeline to the master.

pub mod near_cache;
pub mod open_connection;
pub mod pipeline;
pub mod reader;
pub mod request;
pub mod resp;
pub mod router;
pub mod stream;
