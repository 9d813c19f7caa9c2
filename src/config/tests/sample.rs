//! The defaults, and the sample file that documents them.

use super::support::{config, file_config};
use crate::config::given::MergedTexts;
use crate::config::settings::{Config, SETTINGS};
use crate::values::{RenewalStep, StoreUrl};

const SAMPLE: &str = include_str!("../../../config/doorward.toml");

#[test]
fn the_samples_defaults_equal_the_tables_and_are_valid() {
    let mut mistakes = Vec::new();
    let defaults = Config::from_texts(&MergedTexts::default(), &mut mistakes);
    assert_eq!(mistakes, []);
    assert_eq!(config(&[], &[], &[]), defaults);
    assert_eq!(Config::default(), defaults);
    assert_eq!(defaults.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(defaults.admin_listen.to_string(), "127.0.0.1:8081");
    assert_eq!((defaults.default_token_age_ms, defaults.max_token_age_ms), (3_600_000, 1_209_600_000));
    assert_eq!((defaults.lease_ms, defaults.flush_interval_ms), (2_000, 1_000));
    assert_eq!(defaults.renewal_step, RenewalStep::Share { percent: 10 });
    assert_eq!((defaults.redis_url, defaults.admin_key, defaults.api_keys), (StoreUrl::Memory, None, vec![]));
}

/// The sample file without the `#` before each setting.
fn uncommented_sample() -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting.to_owned(),
        _ => line.to_owned(),
    };
    SAMPLE.lines().map(uncomment).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_file_has_every_setting_in_order_with_its_default() {
    assert_eq!(file_config(SAMPLE), Config::default());
    let sample = uncommented_sample();
    assert_eq!(file_config(&sample), Config::default());
    let is_setting = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let names: Vec<_> =
        sample.lines().filter(is_setting).map(|line| line.split(" = ").next().unwrap()).collect();
    assert_eq!(names, SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>());
}
