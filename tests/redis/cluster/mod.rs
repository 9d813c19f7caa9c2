//! The server on a Redis Cluster. Whatever happens to one master, the tokens of the others are judged as ever; a live
//! token is never refused (503 is allowed), and a revoked one is refused.

mod masters;
mod members;
mod slots;
mod support;
