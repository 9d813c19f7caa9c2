//! Look-ups of tokens: the node_cache cache, else a pipeline to the master.

pub mod node_cache;
pub mod open_connection;
pub mod pipeline;
pub mod pipeline_state;
pub mod read_router;
pub mod reader;
pub mod request;
pub mod resp;
pub mod stream;
