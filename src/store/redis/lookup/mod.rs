//! Look-ups of tokens for validation: from the near cache, else from the master in a pipeline.
//!
//! They use their own connections, not the pool of lifecycle operations, and their own small implementation of RESP: one
//! task per master and runtime writes look-ups as pipelines and hands the answers out. Data flows
//! `reader` → `read_router` → `pipeline` → `pipeline_connection` → `resp`.

pub mod buffered_stream;
pub mod lost_connection;
pub mod node_cache;
pub mod pipeline;
pub mod pipeline_connection;
pub mod pipeline_state;
pub mod pipeline_task;
pub mod read_router;
pub mod reader;
pub mod request;
pub mod resp;
pub mod stream;
