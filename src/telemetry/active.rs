//! The span that the current task works for. The store starts its child spans below it, without a parameter on every path
//! from the server to the store; a task that works for no sampled request has none.

use opentelemetry::trace::{SpanContext, SpanKind};

use super::tracer::{OpenSpan, Tracer};

tokio::task_local! {
    static ACTIVE: ActiveSpan;
}

struct ActiveSpan {
    tracer: Tracer,
    context: SpanContext,
}

/// Does work for a span: what it starts by [`client_span`] becomes a child of `span`.
pub async fn within<T>(span: &OpenSpan, work: impl Future<Output = T>) -> T {
    let active = ActiveSpan { tracer: span.tracer.clone(), context: span.context().clone() };
    ACTIVE.scope(active, work).await
}

/// Starts the span of a call to another server, below the active span. `None` without an active span.
pub fn client_span(name: &'static str) -> Option<Box<OpenSpan>> {
    ACTIVE.try_with(|active| Box::new(active.tracer.start(name, SpanKind::Client, &active.context))).ok()
}
