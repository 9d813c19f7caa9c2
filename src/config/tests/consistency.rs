//! Rules about several settings.

use super::support::{KEY, config, file_config, file_mistakes, mistakes};

#[test]
fn redis_needs_an_api_key_and_the_embedded_store_does_not() {
    let told = mistakes(&["--redis-url", "redis://a", "--lease=x"], &[], &[]);
    assert!(told.contains("admin-key (DOORWARD_ADMIN_KEY or DOORWARD_ADMIN_KEY_FILE): is missing"), "{told}");
    assert!(told.contains("lease (--lease)"), "{told}");
    let hash = "0".repeat(64);
    let config = config(&["--redis-url=redis://a", "--api-keys", &format!("x:all:{hash}")], &[], &[]);
    assert_eq!(config.api_keys.len(), 1);
    let told = mistakes(&["--redis-url=redis://a", "--api-keys= "], &[], &[]);
    assert!(told.contains("is missing"), "{told}");
    // An invalid key is reported once.
    let told = mistakes(&["--redis-url=redis://a"], &[("DOORWARD_ADMIN_KEY", "short")], &[]);
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn two_listeners_cannot_have_the_same_address() {
    let told = mistakes(&["--listen=unix:/a"], &[("DOORWARD_ADMIN_LISTEN", "unix:/a")], &[]);
    assert_eq!(told, "admin-listen (--listen and DOORWARD_ADMIN_LISTEN): is the same address as listen");
    config(&["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"], &[], &[]);
    for other in ["--listen=unix:/a", "--admin-listen=unix:/a"] {
        let told = mistakes(&[other, "--grpc-listen=unix:/a"], &[], &[]);
        assert!(told.starts_with("grpc-listen (--") && told.lines().count() == 1, "{told}");
    }
    config(&["--grpc-listen=127.0.0.1:0", "--listen=127.0.0.1:0"], &[], &[]);
    let told = mistakes(&["--listen=a", "--admin-listen=b"], &[], &[]);
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn a_certificate_needs_its_key() {
    let told = mistakes(&["--tls-cert=/a", "--admin-client-ca=/b"], &[], &[]);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "tls-key (default): is missing: tls-cert needs it",
            "admin-tls-cert (default): is missing: admin-client-ca needs it"
        ]
    );
    let told = mistakes(&["--admin-tls-key=/a"], &[], &[]);
    assert_eq!(told, "admin-tls-cert (default): is missing: admin-tls-key needs it");
    let good = config(&["--tls-cert=/a", "--tls-key=/b"], &[], &[]);
    assert_eq!((good.tls_cert, good.tls_key), (Some("/a".into()), Some("/b".into())));
}

#[test]
fn certificate_authorities_need_a_collector_that_uses_tls() {
    for endpoint in ["", "http://127.0.0.1:4318", "unix:/run/otlp.sock"] {
        let told = mistakes(&["--otlp-ca-file=/a", "--otlp-endpoint", endpoint], &[], &[]);
        assert_eq!(
            told,
            "otlp-ca-file (--otlp-ca-file): is set, but otlp-endpoint does not start with https://"
        );
    }
    config(&["--otlp-ca-file=/a", "--otlp-endpoint=https://collector"], &[], &[]);
    // An invalid URL is reported once, and not repeated: it may hold a password.
    let told = mistakes(&["--otlp-ca-file=/a", "--otlp-endpoint=https://me:hunter2@collector"], &[], &[]);
    assert!(told.lines().count() == 1 && told.contains("the value has a user name in it"), "{told}");
}

/// Most proxies send their subrequest with GET, so the check would never see an unsafe method.
#[test]
fn the_csrf_check_needs_proxies_that_forward_the_method() {
    let told = mistakes(&["--cookie-csrf-check=true"], &[], &[]);
    assert!(told.starts_with("trusted-proxies (default): is missing: cookie-csrf-check needs"), "{told}");
    for proxies in ["unix", "::1", "10.0.0.0/8"] {
        assert!(
            config(&["--cookie-csrf-check=true", "--trusted-proxies", proxies], &[], &[]).cookie_csrf_check
        );
    }
}

#[test]
fn what_ended_is_kept_for_longer_than_nodes_remember_what_was_before() {
    let env = [("DOORWARD_ADMIN_KEY", KEY), ("DOORWARD_REDIS_URL", "redis://a")];
    let told = mistakes(&["--revoked-retention=2m", "--takeover-retention=179s"], &env, &[]);
    for name in ["revoked-retention", "takeover-retention"] {
        let line =
            format!("{name} (--{name}): must be at least 3m, twice the replay-window of 1m and a minute: ");
        assert!(told.lines().any(|told| told.starts_with(&line)), "{told}");
    }
    assert!(
        told.lines().count() == 2 && told.contains("or a shorter replay-window (0 turns it off)"),
        "{told}"
    );
    assert!(mistakes(&["--replay-window=10m", "--revoked-retention=20m"], &env, &[]).contains("21m"));

    config(&["--revoked-retention=3m", "--takeover-retention=3m"], &env, &[]);
    config(&["--revoked-retention=1s", "--takeover-retention=1s", "--replay-window=0"], &env, &[]);
    config(&["--revoked-retention=1s", "--takeover-retention=1s"], &[], &[]);
    // A window that is invalid by itself is reported once.
    assert_eq!(mistakes(&["--replay-window=1h", "--revoked-retention=1s"], &env, &[]).lines().count(), 1);
}

#[test]
fn the_attributes_of_the_cookie_must_fit_its_name() {
    let toml = "cookie-name = '__host-sid'\ncookie-secure = false\ncookie-domain = 'example.com'\n\
                cookie-path = '/app'\ncookie-same-site = 'none'";
    let told = file_mistakes(toml);
    for name in ["cookie-secure", "cookie-domain", "cookie-path", "cookie-same-site"] {
        assert!(
            told.lines().any(|line| line.starts_with(&format!("{name} ({name} in d.toml): must"))),
            "{told}"
        );
    }
    assert_eq!(told.lines().count(), 4, "{told}");
    assert!(file_mistakes("cookie-name = '__Secure-a'\ncookie-secure = false").starts_with("cookie-secure"));
    let good = "cookie-name = '__Secure-a'\ncookie-domain = 'Example.com'\ncookie-path = '/a'";
    assert_eq!(file_config(good).cookie().domain.as_deref(), Some("example.com"));
    file_config("cookie-name = '__Host-a'\ncookie-same-site = 'none'");
    file_config("cookie-secure = false\ncookie-same-site = 'strict'");
    // A value that is invalid by itself is reported once.
    let told = file_mistakes("cookie-name = '__Host-a'\ncookie-domain = '.example.com'");
    assert!(told.lines().count() == 1 && told.contains("is not a domain"), "{told}");
    for bad in
        ["cookie-domain = '127.0.0.1'", "cookie-domain = 'a b'", "cookie-path = 'a'", "cookie-path = '/;'"]
    {
        file_mistakes(bad);
    }
}

#[test]
fn one_place_is_read_in_one_way() {
    let told = mistakes(&["--further-cookies=a,doorward"], &[], &[]);
    assert_eq!(told, "further-cookies (--further-cookies): must not have doorward, which is the cookie-name");
    let told = mistakes(&["--further-cookies=b,a", "--foreign=old:scheme=drf+cookie=a"], &[], &[]);
    assert!(
        told.contains("must not have a, which is a cookie of foreign.old: it may carry native"),
        "{told}"
    );
    let told = mistakes(&["--header-name=X-Exempt", "--renewal-exempt-header=x-exempt"], &[], &[]);
    assert_eq!(told, "renewal-exempt-header (--renewal-exempt-header): must not be the header-name");
    config(&["--foreign=old:scheme=drf+cookie=doorward", "--further-cookies=a"], &[], &[]);
}

#[test]
fn further_cookies_are_tables_in_a_file() {
    let toml =
        "[further-cookies.\"connect.sid\"]\ndecoding = 'express'\nsecret-file = '/s'\n[further-cookies.x]\n";
    let loaded = config(&["--config=d.toml"], &[], &[("d.toml", toml), ("/s", "one\n\ntwo\n")]);
    let [express, plain] = &loaded.further_cookies[..] else { panic!("{:?}", loaded.further_cookies) };
    assert_eq!((express.name.as_str(), express.secrets.len()), ("connect.sid", 2));
    assert_eq!((plain.name.as_str(), plain.secrets.len()), ("x", 0));
    let told = mistakes(&["--config=d.toml"], &[], &[("d.toml", toml)]);
    assert!(told.contains("has a mistake in the secret-file of connect.sid: cannot read"), "{told}");
    assert!(!told.contains("/s\""), "{told}");
}
