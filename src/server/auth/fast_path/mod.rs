//! The fast path: common auth subrequests, answered without hyper.

mod buffers;
pub mod connection;
pub mod headers;
pub mod request;
pub mod response;
