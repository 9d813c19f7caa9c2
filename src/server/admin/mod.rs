//! The admin plane: JSON or a form in, JSON out. All calls except the probes, the console
//! and the OpenAPI documents need an API key.
//!
//! A request goes [`respond`] → [`routes`] (the table of all calls) → a handler in [`handlers`] or [`oauth`] → the service.
//! [`observation`] follows the request from its begin to its response. [`input`] reads queries and bodies; [`problem`] is
//! the error format. [`console`] serves the files of the console, which is a client of these calls.

pub mod api_keys;
pub mod call;
pub mod console;
pub mod context;
pub mod event_stream;
pub mod handlers;
pub mod idempotency;
pub mod input;
pub mod key_grant;
pub mod oauth;
pub mod observation;
pub mod paging;
pub mod path_params;
pub mod plane;
pub mod problem;
pub mod respond;
pub mod route;
pub mod routes;
