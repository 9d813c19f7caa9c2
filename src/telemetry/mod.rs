//! Traces: spans of requests that a caller samples, exported by OTLP over HTTP.
//!
//! Without `otlp-endpoint` there is no [`Tracer`], and nothing here runs. With it, a request becomes a span only if it
//! carries a valid `traceparent` whose sampled flag is set: the caller decides, Doorward never starts a trace.
//!
//! | file | subject |
//! |---|---|
//! | `trace_context` | W3C Trace Context: the sampled parent of a request |
//! | `tracer` | starts spans; their times and ids come from the node's clock and randomness. Keeps the span that a task works for |
//! | `export` | the queue of finished spans, and its thread |
//! | `collector` | sends one batch to the collector |
//!
//! The server starts the spans of requests (`server/request/span.rs`), the store starts the spans of its round trips.

pub mod collector;
pub mod export;
pub mod trace_context;
pub mod tracer;

pub use self::export::{SpanCounters, TraceExport, TraceExportError};
pub use self::tracer::{OpenSpan, Tracer, client_span, within};
