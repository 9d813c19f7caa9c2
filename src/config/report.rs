//! What `check-config` prints.

use super::definition::Config;
use super::settings::{Exposure, SETTINGS, Setting};
use super::sources::Values;
use crate::values::StoreUrl;

/// Every setting as a line of TOML with where it came from; secrets are `***`.
pub(crate) fn report(values: &Values, config: &Config) -> String {
    let mut report = "OK: the settings are good\n".to_owned();
    for setting in SETTINGS {
        let text = shown(setting, values, config);
        report += &format!("{} = {text:?}  # {}\n", setting.name, values.origin(setting.name));
    }
    report
}

fn shown(setting: &Setting, values: &Values, config: &Config) -> String {
    let name = setting.name;
    match (setting.exposure, name, &config.store) {
        (Exposure::Public, ..) => values.text(name).to_owned(),
        _ if !values.is_set(name) => String::new(),
        (_, "redis-url", StoreUrl::Redis(url)) => url.to_string(),
        (_, "api-keys", _) => {
            let keys = config.api_keys.iter().filter(|key| key.name != super::parse::ADMIN_KEY_NAME);
            keys.map(|key| format!("{}:{}:***", key.name, key.scopes)).collect::<Vec<_>>().join(",")
        }
        _ => "***".to_owned(),
    }
}
