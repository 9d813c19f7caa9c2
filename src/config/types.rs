//! The types of single settings.

pub use crate::values::log_options::{LogLevel, LogFormat};
pub use crate::values::api_key::{Scope, Scopes, ApiKey};
pub use crate::values::renewal_step::{RenewalStep};
pub use crate::values::store_url::{StoreUrl};
pub use crate::values::cookie::{Cookie, SameSite};
pub use crate::values::trusted_proxies::{TrustedProxies};
pub use crate::values::tls_paths::{TlsPaths};
pub use crate::values::listen_address::{ListenAddr};
pub use crate::values::secret_string::{SecretString};



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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_step_is_never_more_than_half_of_the_idle_time() {
        assert_eq!(RenewalStep::Share { percent: 10 }.step_ms(3_600_000), 360_000);
        assert_eq!(RenewalStep::Share { percent: 10 }.step_ms(15), 1);
        assert_eq!(RenewalStep::Share { percent: 50 }.step_ms(u64::MAX), u64::MAX / 2);
        assert_eq!(RenewalStep::Share { percent: 255 }.step_ms(10), 5);
        assert_eq!(RenewalStep::Fixed { ms: 30_000 }.step_ms(3_600_000), 30_000);
        assert_eq!(RenewalStep::Fixed { ms: 30_000 }.step_ms(1_000), 500);
        assert_eq!(RenewalStep::Fixed { ms: 0 }.step_ms(1_000), 0);
    }

    #[test]
    fn scopes_are_a_set() {
        let scopes: Scopes = [Scope::Devices, Scope::Tokens, Scope::Tokens].into_iter().collect();
        assert_eq!(scopes.to_string(), "tokens+devices");
        assert!(scopes.contains(Scope::Devices) && !scopes.contains(Scope::Metrics));
        assert_eq!(Scopes::all().to_string(), "all");
        assert_eq!(Scopes::default().to_string(), "");
    }
}
