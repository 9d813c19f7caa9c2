//! The client against the real server, with real axum.
//!
//! The server's binary is `DOORWARD_BINARY`, or `doorward` in the folder of cargo's profile: `cargo build` makes it, and so
//! does a run of the whole workspace's tests.

mod admin;
mod batching;
mod behind_proxy;
mod in_process;
mod layer;
mod outage;
mod readme;
mod retries;
mod support;
mod tls;
mod transport;
mod validator;

#[path = "../../examples/shop.rs"]
#[allow(dead_code)] // its `main`
mod shop;

#[path = "../../examples/in_process.rs"]
#[allow(dead_code)] // its `main`
mod in_process_example;
