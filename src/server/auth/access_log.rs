//! The access log of one validation thread: which of its requests are logged, and how many per second.
//!
//! Nothing is shared between threads, so a count is a plain load and a plain store.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hyper::{Response, StatusCode};

use super::refusal::reason_of;
use crate::clock::Clock;
use crate::logging::access::AccessLine;
use crate::logging::text::shown_path;
use crate::model::token::TokenRecord;
use crate::request::headers::RequestHeaders;
use crate::request::origin::RequestOrigin;
use crate::request::repeated::repeats_credential;
use crate::request::request_id::request_id_in;
use crate::request_check::decision::Decision;
use crate::request_check::refusal::Refusal;
use crate::request_check::settings::ValidationSettings;
use crate::server::transport::body::Body;
use crate::token_string::TokenId;
use crate::values::AccessLogRule;

/// The contents of the log.
#[derive(Clone, Copy, Debug)]
pub struct AccessLogOptions {
    /// The requests that are logged.
    pub rule: AccessLogRule,
    /// The most lines per second.
    pub max_per_second: u32,
}

/// The access log of one validation thread.
pub struct AccessLog {
    clock: Clock,
    /// One in this many of the requests that pass is logged; 0 for none.
    one_in: u32,
    max_per_second: u32,
    passed: AtomicU32,
    second: AtomicU64,
    lines: AtomicU32,
    suppressed: AtomicU64,
}

/// The part of a line that comes from the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOutcome {
    /// The decision, and its reason.
    pub result: &'static str,
    /// The status of the answer.
    pub status: StatusCode,
    /// The valid token and its user.
    pub holder: Option<(TokenId, String)>,
}

impl AccessLog {
    /// Returns the log, or `None` if it is off.
    pub fn new(options: AccessLogOptions, clock: Clock) -> Option<Self> {
        let one_in = match options.rule {
            AccessLogRule::Off => return None,
            AccessLogRule::Refused => 0,
            AccessLogRule::Sampled { one_in } => one_in.get(),
        };
        Some(Self {
            clock,
            one_in,
            max_per_second: options.max_per_second,
            passed: AtomicU32::new(0),
            second: AtomicU64::new(0),
            lines: AtomicU32::new(0),
            suppressed: AtomicU64::new(0),
        })
    }

    /// Returns what to log of a decision, or `None` if it is not to be logged. Called under the lock of the cached record,
    /// so the line is written later.
    pub fn outcome_of(&self, decision: &Decision<'_>) -> Option<LoggedOutcome> {
        let status = decision.status();
        if !self.wants(status) {
            return None;
        }
        let holder = match decision {
            Decision::Allowed(record, ..) => Some(holder_of(record)),
            Decision::Forbidden(_, Some(record)) => Some(holder_of(record)),
            _ => None,
        };
        Some(LoggedOutcome { result: decision.result(), status, holder })
    }

    /// Writes the line of a response that was made without a decision. `holder` is the valid token and its user.
    pub fn add_response(
        &self,
        response: &Response<Body>,
        holder: Option<(TokenId, String)>,
        request: impl FnOnce() -> LoggedRequest,
    ) {
        let status = response.status();
        if self.wants(status) {
            self.add(LoggedOutcome { result: result_of(response), status, holder }, request);
        }
    }

    /// Writes a line, unless there were too many in this second.
    pub fn add(&self, outcome: LoggedOutcome, request: impl FnOnce() -> LoggedRequest) {
        let Some(suppressed) = self.budget() else { return };
        let request = request();
        AccessLine {
            result: outcome.result,
            status: outcome.status.as_u16(),
            method: request.method.as_deref(),
            path: request.path.as_deref(),
            original_method: request.original_method.as_deref(),
            original_path: request.original_path.as_deref(),
            token: outcome.holder.as_ref().map(|(id, _)| *id),
            user: outcome.holder.as_ref().map(|(_, user)| user.as_str()),
            address: request.address,
            request_id: request.request_id.as_deref(),
            suppressed: (suppressed > 0).then_some(suppressed),
        }
        .write();
    }

    /// Whether a request is logged: each that may not pass, and a sample of the others.
    fn wants(&self, status: StatusCode) -> bool {
        if status != StatusCode::OK {
            return true;
        }
        if self.one_in == 0 {
            return false;
        }
        let passed = self.passed.load(Ordering::Relaxed);
        let is_sampled = passed == 0;
        self.passed.store(if passed + 1 >= self.one_in { 0 } else { passed + 1 }, Ordering::Relaxed);
        is_sampled
    }

    /// Returns how many lines were suppressed since the last one, or `None` if this one is, too.
    fn budget(&self) -> Option<u64> {
        let second = self.clock.boottime_ms() / 1000;
        if self.second.load(Ordering::Relaxed) != second {
            self.second.store(second, Ordering::Relaxed);
            self.lines.store(0, Ordering::Relaxed);
        }
        let lines = self.lines.load(Ordering::Relaxed);
        if lines >= self.max_per_second {
            self.suppressed.store(self.suppressed.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return None;
        }
        self.lines.store(lines + 1, Ordering::Relaxed);
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

/// Returns the part of a line that names a valid token: its id and its user.
pub fn holder_of(record: &TokenRecord) -> (TokenId, String) {
    (record.id, record.user().to_owned())
}

/// Returns what a response says, by the same names as [`Decision::result`].
fn result_of(response: &Response<Body>) -> &'static str {
    match response.status() {
        StatusCode::OK => "valid",
        StatusCode::UNAUTHORIZED => Refusal::of(response).name(),
        StatusCode::FORBIDDEN => reason_of(response),
        StatusCode::NOT_FOUND => "unknown-check",
        StatusCode::CONFLICT => "rotated-too-often",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "too-large",
        _ => "unavailable",
    }
}

/// The part of a line that comes from the request; the default for a request that was not read. It outlives the request,
/// which is gone when the store has answered.
#[derive(Default)]
pub struct LoggedRequest {
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) original_method: Option<String>,
    pub(super) original_path: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: Option<String>,
}

impl LoggedRequest {
    /// Reads the part of a line from a request to this path.
    pub fn of<H: RequestHeaders + ?Sized>(
        origin: &RequestOrigin<'_, H>,
        path: &str,
        settings: &ValidationSettings,
    ) -> Self {
        let ValidationSettings { places, trusted_proxies, .. } = settings;
        let shown = |text: String| match repeats_credential(text.as_bytes(), origin.headers, places) {
            true => "***".to_owned(),
            false => text,
        };
        Self {
            method: Some(shown(origin.method.to_owned())),
            path: Some(shown(shown_path(path))),
            original_method: origin.original_method().map(|method| shown(method.into_owned())),
            original_path: origin.original_path().map(|path| shown(shown_path(&path))),
            address: origin.client_address(trusted_proxies),
            request_id: request_id_in(origin.headers, places).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(rule: AccessLogRule, max_per_second: u32) -> AccessLog {
        AccessLog::new(AccessLogOptions { rule, max_per_second }, Clock::system()).unwrap()
    }

    #[test]
    fn refused_requests_are_always_wanted_and_others_are_sampled() {
        let off = AccessLogOptions { rule: AccessLogRule::Off, max_per_second: 1 };
        assert!(AccessLog::new(off, Clock::system()).is_none());
        let wanted = |log: &AccessLog| {
            let passed = (0..10).map(|_| u32::from(log.wants(StatusCode::OK))).sum::<u32>();
            (log.wants(StatusCode::UNAUTHORIZED), passed)
        };
        assert_eq!(wanted(&log(AccessLogRule::Refused, 1)), (true, 0));
        let one_in = |n: u32| AccessLogRule::Sampled { one_in: n.try_into().unwrap() };
        assert_eq!(wanted(&log(one_in(1), 1)), (true, 10));
        assert_eq!(wanted(&log(one_in(5), 1)), (true, 2));
        assert_eq!(wanted(&log(one_in(1_000), 1)), (true, 1));
    }

    #[test]
    fn lines_beyond_the_rate_are_counted() {
        let log = log(AccessLogRule::Refused, 2);
        // Never the present second, so that each of these is a new one.
        let next_second = || log.second.store(u64::MAX, Ordering::Relaxed);
        let mut budgets = Vec::new();
        for _ in 0..2 {
            next_second();
            // A second may pass between two of these, on a slow machine, but then none is lost either.
            budgets.extend((0..2).map(|_| log.budget()));
        }
        assert_eq!(budgets, [Some(0); 4]);
        log.lines.store(2, Ordering::Relaxed);
        log.suppressed.store(7, Ordering::Relaxed);
        next_second();
        assert_eq!(log.budget(), Some(7));
        assert_eq!(log.suppressed.load(Ordering::Relaxed), 0);
    }
}
