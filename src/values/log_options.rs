//! Level and format of the log, and which requests it has.

use std::num::NonZeroU32;

use crate::named_enum::named_enum;

named_enum! {
    /// The severity of a log line, or the least severity that is logged.
    #[derive(Default)]
    pub enum LogLevel {
        /// Something is broken or has stopped.
        Error => "error",
        /// Something needs attention.
        Warn => "warn",
        /// Normal operation.
        #[default]
        Info => "info",
        /// Details for finding a fault.
        Debug => "debug",
        /// Everything.
        Trace => "trace",
    }
}

named_enum! {
    /// The format of log lines.
    #[derive(Default)]
    pub enum LogFormat {
        /// Text for people.
        #[default]
        Text => "text",
        /// One JSON object per line.
        Json => "json",
    }
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
