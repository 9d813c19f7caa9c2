//! A check, and what it found.

use crate::store::report::{Fault, Severity};

/// A check, and what it found.
pub(super) struct Check {
    /// The subject, in one or two words.
    pub(super) name: &'static str,
    pub(super) finding: Finding,
}

/// The result of a check.
pub(super) enum Finding {
    /// Nothing is wrong. The text says what was seen.
    Ok(String),
    Warning(FailedCheck),
    Fault(FailedCheck),
    /// Why it could not be checked.
    NotChecked(String),
}

/// A problem, and what the operator can do.
pub(super) struct FailedCheck {
    /// The server, the setting or the file.
    pub(super) place: String,
    pub(super) cause: String,
    pub(super) fix: String,
    /// The name of the fault's kind, as in `GET /v1/status`; `None` for what no node reports there.
    pub(super) kind: Option<&'static str>,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, finding: Finding::Ok(found.into()) }
    }

    pub(super) fn not_checked(name: &'static str, reason: impl Into<String>) -> Self {
        Self { name, finding: Finding::NotChecked(reason.into()) }
    }

    pub(super) fn failed(
        name: &'static str,
        severity: Severity,
        place: impl Into<String>,
        cause: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::of(
            name,
            severity,
            FailedCheck { place: place.into(), cause: cause.into(), fix: fix.into(), kind: None },
        )
    }

    pub(super) fn of_fault(name: &'static str, fault: &Fault) -> Self {
        let Fault { kind, server, cause, fix, .. } = fault.clone();
        Self::of(name, kind.severity(), FailedCheck { place: server, cause, fix, kind: Some(kind.name()) })
    }

    fn of(name: &'static str, severity: Severity, problem: FailedCheck) -> Self {
        let finding = match severity {
            Severity::Fatal | Severity::Fault => Finding::Fault(problem),
            Severity::Warning => Finding::Warning(problem),
        };
        Self { name, finding }
    }
}

impl Finding {
    /// Its name in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Warning(_) => "warning",
            Self::Fault(_) => "fault",
            Self::NotChecked(_) => "not_checked",
        }
    }
}
