//! The output of `check-config`.

use super::given::MergedTexts;
use super::setting::{Exposure, Setting};
use super::settings::{Config, SETTINGS};
use crate::values::StoreUrl;

/// Returns every setting as a line of TOML with its origin. Secrets are shown as `***`.
pub(crate) fn report(texts: &MergedTexts, config: &Config) -> String {
    let mut report = "OK: the settings are valid\n".to_owned();
    for setting in SETTINGS {
        let text = shown(setting, texts, config);
        report += &format!("{} = {text:?}  # {}\n", setting.name, texts.origin(setting.name));
    }
    report
}

fn shown(setting: &Setting, texts: &MergedTexts, config: &Config) -> String {
    match (setting.exposure, setting.name, &config.redis_url) {
        (Exposure::Public, ..) => texts.text(setting).to_owned(),
        (_, name, _) if !texts.is_set(name) => String::new(),
        (_, "redis-url", StoreUrl::Redis(url)) => url.to_string(),
        (_, "api-keys", _) => {
            let keys = config.api_keys.iter();
            keys.map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        (_, "otlp-endpoint", _) => {
            config.otlp_endpoint.as_ref().map(|url| url.to_string()).unwrap_or_default()
        }
        _ => "***".to_owned(),
    }
}
