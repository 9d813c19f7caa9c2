//! Level and format of the log, and which requests it has.

use std::num::NonZeroU32;

/// The severity of a log line, or the least severity that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Something is broken or has stopped.
    Error,
    /// Something needs attention.
    Warn,
    /// Normal operation.
    #[default]
    Info,
    /// Details for finding a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level with its name in settings.
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Which requests to the validation plane are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogRule {
    /// None.
    #[default]
    Off,
    /// Requests that may not pass, and requests that cannot be judged.
    Refused,
    /// Refused requests, and a sample of the others: one in `one_in`.
    Sampled {
        /// One in so many.
        one_in: NonZeroU32,
    },
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
