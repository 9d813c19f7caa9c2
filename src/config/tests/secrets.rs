//! Secrets: where they may be given, and that they are never shown.

use super::support::{KEY, config, file_config, mistakes, run};
use crate::cli::command_line::{Invocation, ServerVerb};
use crate::config::parse::api_keys::{api_keys, hash_key};
use crate::values::{ApiKey, Scopes};

#[test]
fn a_secret_comes_from_a_variable_a_file_or_the_toml_file_but_not_from_a_flag() {
    let hash = ApiKey::hash_of(KEY.as_bytes());
    let files = [("/run/key", &*format!("{KEY}\r\n"))];
    let toml = format!("admin-key = '{KEY}'");
    for config in [
        config(&[], &[("DOORWARD_ADMIN_KEY", KEY)], &[]),
        config(&[], &[("DOORWARD_ADMIN_KEY_FILE", "/run/key")], &files),
        file_config(&toml),
        config(&["--config=d"], &[], &[("d", "admin-key-file = '/run/key'"), files[0]]),
        // The stronger source wins, whichever of the two forms it uses. The file of the weaker source is not read.
        config(&["--config=d"], &[("DOORWARD_ADMIN_KEY", KEY)], &[("d", "admin-key-file = '/nowhere'")]),
        config(
            &["--config=d"],
            &[("DOORWARD_ADMIN_KEY_FILE", "/run/key")],
            &[("d", "admin-key = 'x'"), files[0]],
        ),
    ] {
        assert_eq!(
            config.all_api_keys(),
            [ApiKey { name: "admin".into(), scopes: Scopes::all(), hash, expires_at_ms: None }]
        );
    }
    for args in [vec!["--admin-key", KEY], vec![&*format!("--admin-key={KEY}")], vec!["--admin-key"]] {
        let told = mistakes(&args, &[], &[]);
        assert!(told.starts_with("admin-key (--admin-key): a secret has no flag"), "{told}");
        assert!(!told.contains(KEY) && told.lines().count() == 1, "{told}");
    }
}

#[test]
fn no_secret_is_shown() {
    let env = [
        ("DOORWARD_ADMIN_KEY", KEY),
        ("DOORWARD_TOKEN_KEYS", KEY),
        ("DOORWARD_REDIS_URL", "redis://user:hunter2@host/1"),
        ("DOORWARD_API_KEYS", &format!("ci:tokens+metrics:{}", "ab".repeat(32))),
        ("DOORWARD_OTLP_ENDPOINT", "https://collector"),
        ("DOORWARD_OTLP_HEADERS", "x-key=hunter2"),
    ];
    let Ok(Invocation::Server(ServerVerb::CheckConfig, loaded)) =
        run(&["check-config", "--lease=3s"], &env, &[])
    else {
        panic!("the settings are valid");
    };
    assert!(!format!("{loaded:?}").contains("hunter2"));
    let (config, report) = (&loaded.config, loaded.report());
    for text in [&report, &format!("{config:?}"), &format!("{config:#?}")] {
        assert!(!text.contains("hunter2") && !text.contains("abab"), "{text}");
    }
    for line in [
        "OK: the settings are valid",
        "listen = \"127.0.0.1:8080\"  # default",
        "lease = \"3s\"  # --lease",
        "redis-url = \"redis://user:***@host:6379/1\"  # DOORWARD_REDIS_URL",
        "admin-key = \"***\"  # DOORWARD_ADMIN_KEY",
        "api-keys = \"ci:tokens+metrics:***\"  # DOORWARD_API_KEYS",
        "token-keys = \"***\"  # DOORWARD_TOKEN_KEYS",
        "otlp-endpoint = \"https://collector:443\"  # DOORWARD_OTLP_ENDPOINT",
        "otlp-headers = \"***\"  # DOORWARD_OTLP_HEADERS",
    ] {
        assert!(report.lines().any(|told| told == line), "{line}\nis not in\n{report}");
    }
    assert_eq!(config.all_api_keys().iter().map(|key| &*key.name).collect::<Vec<_>>(), ["admin", "ci"]);
}

#[test]
fn hash_key_prints_a_hash_that_api_keys_accepts() {
    let hash = hash_key(&format!("{KEY}\n")).unwrap();
    assert_eq!(api_keys(&format!("x:all:{hash}")).unwrap()[0].hash, ApiKey::hash_of(KEY.as_bytes()));
    assert!(hash_key("hunter2").is_err_and(|error| !error.contains("hunter2")));
}
