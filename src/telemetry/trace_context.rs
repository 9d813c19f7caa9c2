//! W3C Trace Context, level 1: the parent of a request's span.

use opentelemetry::trace::{SpanContext, TraceState};
use opentelemetry::{SpanId, TraceFlags, TraceId};

/// The bytes of a `traceparent` of version 00. A later version may append more (section 3.2.4).
const TRACEPARENT_BYTES: usize = 55;
/// The most bytes of a `tracestate` that is exported: section 3.3.1.5 demands no more.
const MAX_TRACESTATE_BYTES: usize = 512;

/// Parses a `traceparent` (section 3.2). Returns `None` if it is malformed or its sampled flag is not set.
pub fn sampled_parent(traceparent: &[u8]) -> Option<SpanContext> {
    let (fields, rest) = traceparent.split_first_chunk::<TRACEPARENT_BYTES>()?;
    let text = std::str::from_utf8(fields).ok()?;
    let mut fields = text.split('-');
    let (version, trace_id, span_id, flags) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_whole = fields.next().is_none()
        && [version, trace_id, span_id, flags].map(str::len) == [2, 32, 16, 2]
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let is_known = match version {
        "ff" => false,
        "00" => rest.is_empty(),
        _ => matches!(rest, [] | [b'-', ..]),
    };
    if !is_whole || !is_known {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace_id, span_id) = (TraceId::from_hex(trace_id).ok()?, SpanId::from_hex(span_id).ok()?);
    let parent = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
    // An id of zeros is invalid.
    (parent.is_valid() && parent.is_sampled()).then_some(parent)
}

/// Adds the `tracestate` of a request, whose lines form one list (section 3.3). One that is malformed or longer than 512
/// bytes is left out, and the parent still counts (section 3.3.1).
pub fn with_state<'a>(parent: SpanContext, lines: impl Iterator<Item = &'a [u8]>) -> SpanContext {
    let list = lines.collect::<Vec<_>>().join(&b',');
    let is_plain =
        list.len() <= MAX_TRACESTATE_BYTES && list.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    let state = std::str::from_utf8(&list).ok().filter(|_| is_plain).and_then(|list| list.parse().ok());
    let (trace_id, span_id) = (parent.trace_id(), parent.span_id());
    SpanContext::new(trace_id, span_id, parent.trace_flags(), true, state.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_sampled_traceparent_names_the_parent() {
        for (version, flags, rest) in
            [("00", "01", ""), ("00", "ff", ""), ("01", "03", ""), ("cc", "01", "-what-ever")]
        {
            let line = format!("{version}-{TRACE}-{SPAN}-{flags}{rest}");
            let parent = sampled_parent(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(
                (parent.trace_id().to_string(), parent.span_id().to_string()),
                (TRACE.into(), SPAN.into())
            );
            assert!(parent.is_sampled() && parent.is_remote());
        }
    }

    #[test]
    fn anything_else_is_ignored() {
        let zeros = "0".repeat(32);
        for line in [
            String::new(),
            format!("00-{TRACE}-{SPAN}-00"),
            format!("00-{TRACE}-{SPAN}-02"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-what"),
            format!("01-{TRACE}-{SPAN}-01x"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-001"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{SPAN}-{TRACE}-01"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!(" 0-{TRACE}-{SPAN}-01"),
            format!("00-{}é-{SPAN}-01", &TRACE[..30]),
        ] {
            assert!(sampled_parent(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_tracestate_is_passed_on_if_it_is_well_formed_and_short() {
        let state = |lines: &[&str]| {
            let parent = sampled_parent(format!("00-{TRACE}-{SPAN}-01").as_bytes()).unwrap();
            let with_state = with_state(parent.clone(), lines.iter().map(|line| line.as_bytes()));
            assert_eq!((with_state.trace_id(), with_state.span_id()), (parent.trace_id(), parent.span_id()));
            with_state.trace_state().header()
        };
        assert_eq!(state(&["a=1,b=2"]), "a=1,b=2");
        assert_eq!(state(&["a=1", "b=2"]), "a=1,b=2");
        for ignored in ["", "a", "A=1", "a=\u{e9}", &format!("a={}", "x".repeat(511))] {
            assert_eq!(state(&[ignored]), "", "{ignored}");
        }
    }
}
