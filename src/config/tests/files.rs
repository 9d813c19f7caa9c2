//! Files that settings name, and the order of the sources.

use std::path::Path;

use super::support::{KEY, config, file_mistakes, mistakes};
use crate::config::text_file::read_text_file;

#[test]
fn a_flag_beats_a_variable_which_beats_the_file_which_beats_the_default() {
    let file = [("d.toml", "lease = '3s'")];
    let env = [("DOORWARD_LEASE", "4s"), ("DOORWARD_CONFIG", "d.toml")];
    assert_eq!(config(&[], &[], &[]).lease_ms, 2_000);
    assert_eq!(config(&["--config=d.toml"], &[], &file).lease_ms, 3_000);
    assert_eq!(config(&[], &env, &file).lease_ms, 4_000);
    assert_eq!(config(&["--lease", "5s"], &env, &file).lease_ms, 5_000);
    assert_eq!(config(&[], &[("DOORWARD_LEASE", ""), env[1]], &file).lease_ms, 3_000, "empty is unset");
    assert_eq!(config(&["--config=d.toml"], &[("DOORWARD_CONFIG", "other")], &file).lease_ms, 3_000);
}

#[test]
fn an_empty_flag_turns_an_optional_setting_off() {
    let file = [("d.toml", "renewal-exempt-header = 'x-poll'\nconfig-is = 1")];
    assert!(mistakes(&["--config=d.toml"], &[], &file).contains("config-is (d.toml)"));
    let file = [("d.toml", "renewal-exempt-header = 'x-poll'")];
    assert!(config(&["--config=d.toml"], &[], &file).renewal_exempt_header.is_some());
    assert!(
        config(&["--config=d.toml", "--renewal-exempt-header="], &[], &file).renewal_exempt_header.is_none()
    );
    assert!(mistakes(&["--lease="], &[], &[]).contains(r#"lease (--lease): "" is not a duration"#));
}

#[test]
fn a_value_and_its_file_in_one_source_are_a_mistake() {
    let env = [("DOORWARD_ADMIN_KEY", KEY), ("DOORWARD_ADMIN_KEY_FILE", "/run/key")];
    let told = mistakes(&[], &env, &[("/run/key", KEY)]);
    assert_eq!(told, "admin-key (DOORWARD_ADMIN_KEY and DOORWARD_ADMIN_KEY_FILE): both are set: keep one");
    let told = file_mistakes("redis-url = 'redis://a'\nredis-url-file = '/x'\nadmin-key-file = '/x'");
    assert!(told.contains("redis-url (redis-url in d.toml and redis-url-file in d.toml): both"), "{told}");
    // An empty variable counts as unset.
    let env = [("DOORWARD_ADMIN_KEY", ""), env[1]];
    assert_eq!(config(&[], &env, &[("/run/key", KEY)]).all_api_keys().len(), 1);
}

#[test]
fn a_file_that_cannot_be_used_is_a_mistake() {
    let env = [("DOORWARD_ADMIN_KEY_FILE", "/run/key")];
    assert!(mistakes(&[], &env, &[("/run/key", "\n")]).contains("the file it names is empty"));
    assert!(mistakes(&[], &env, &[]).contains("cannot read the file it names: "));
    assert!(mistakes(&["--config", "/x"], &[], &[]).starts_with("config (--config): cannot read the file"));
    let told = mistakes(&[], &[("DOORWARD_LISTEN_FILE", "/x")], &[]);
    assert!(told.starts_with("DOORWARD_LISTEN_FILE (environment): is not a variable"), "{told}");
    assert!(file_mistakes("listen-file = '/x'").contains("listen-file (d.toml)"));
    assert!(file_mistakes("config = '/x'").contains("config (d.toml)"));
}

#[test]
fn a_file_is_read_up_to_a_limit() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/doorward.toml");
    assert_eq!(read_text_file(&manifest).unwrap(), include_str!("../../../config/doorward.toml"));
    let endless = read_text_file(Path::new("/dev/zero")).unwrap_err();
    assert!(endless.to_string().contains("larger than"), "{endless}");
}
