//! The settings as a whole: no process state, no files.

pub mod lists;

use super::settings::Exposure;
use super::sources::Values;
use std::collections::HashMap;

use super::settings::SETTINGS;
use super::*;

const SAMPLE: &str = include_str!("../../../config/doorward.toml");
/// A good key that must not be seen anywhere.
const KEY: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

/// Runs with a command line, variables and files.
fn run(args: &[&str], env: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Command, LoadError> {
    let files: HashMap<_, _> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
    let read_file = |path: &Path| {
        files.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let args = ["doorward"].iter().chain(args).map(OsString::from);
    load_with(args, env.iter().map(|(name, value)| (name.into(), value.into())), &read_file)
}

fn config(args: &[&str], env: &[(&str, &str)], files: &[(&str, &str)]) -> Config {
    match run(args, env, files) {
        Ok(Command::Serve(config)) => config,
        other => panic!("{other:?}"),
    }
}

/// The mistakes of a run, one per line.
fn mistakes(args: &[&str], env: &[(&str, &str)], files: &[(&str, &str)]) -> String {
    run(args, env, files).unwrap_err().to_string()
}

/// The mistakes of a run with this TOML file.
fn file_mistakes(toml: &str) -> String {
    mistakes(&["--config", "d.toml"], &[], &[("d.toml", toml)])
}

fn file_config(toml: &str) -> Config {
    config(&["--config", "d.toml"], &[], &[("d.toml", toml)])
}

#[test]
fn the_defaults_are_those_of_the_table_and_are_good() {
    let mut mistakes = Vec::new();
    let defaults = Config::from_values(&Values::default(), &mut mistakes);
    assert_eq!(mistakes, []);
    assert_eq!(config(&[], &[], &[]), defaults);
    assert_eq!(Config::default(), defaults);
    assert_eq!(defaults.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(defaults.admin_listen.to_string(), "127.0.0.1:8081");
    assert_eq!((defaults.default_token_age_ms, defaults.max_token_age_ms), (3_600_000, 1_209_600_000));
    assert_eq!((defaults.lease_ms, defaults.flush_interval_ms), (2_000, 1_000));
    assert_eq!(defaults.renewal_step, RenewalStep::Share { percent: 10 });
    assert_eq!((defaults.store, defaults.api_keys), (StoreUrl::Memory, vec![]));
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
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
fn an_empty_flag_turns_off_what_may_be_off() {
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
fn all_mistakes_are_told_at_once() {
    let told = mistakes(
        &["--config", "d.toml", "--listen", "localhost:8080", "--bogus", "1"],
        &[
            ("DOORWARD_FLUSH_INTERVAL", "abc"),
            ("DOORWARD_ADMIN_KEY", "hunter2"),
            ("DOORWARD_COOKIENAME", "x"),
            ("DOORWARD_TOKEN_KEYS_FILE", "hunter2"),
            ("HOME", "/root"),
        ],
        &[(
            "d.toml",
            "cache-entries = -1\nlisten-admin = ''\nlog-level = ['info']\nredis-url = 'hunter2'\nlease.max = '1s'",
        )],
    );
    for line in [
        "--bogus (command line): is not a flag",
        "listen (--listen): \"localhost:8080\" is neither an IP address",
        "flush-interval (DOORWARD_FLUSH_INTERVAL): \"abc\" is not a duration such as 500ms, 10s, 1h or 14d",
        "admin-key (DOORWARD_ADMIN_KEY): the value is shorter than the 32 characters",
        "DOORWARD_COOKIENAME (environment): is not a variable of Doorward (did you mean DOORWARD_COOKIE_NAME?)",
        "token-keys (DOORWARD_TOKEN_KEYS_FILE): cannot read the file it names: ",
        "cache-entries (cache-entries in d.toml): \"-1\" is not a whole number from 0 to 100000000",
        "listen-admin (d.toml): is not a setting that a file may have",
        "log-level (log-level in d.toml): is a list, but takes one value",
        "redis-url (redis-url in d.toml): the value does not start with",
        "lease (lease in d.toml): is a table, but takes a value",
    ] {
        assert!(told.lines().any(|told| told.starts_with(line)), "{line}\nis not in\n{told}");
    }
    assert_eq!(told.lines().count(), 11, "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn every_setting_is_read_and_tells_its_mistake() {
    // No setting takes a control character.
    let toml: String = SETTINGS.iter().map(|setting| format!("{} = \"\\u0001\"\n", setting.name)).collect();
    let told = file_mistakes(&toml);
    for setting in SETTINGS {
        let start = format!("{0} ({0} in d.toml): ", setting.name);
        assert!(told.lines().any(|line| line.starts_with(&start)), "{start}\n{told}");
    }
    assert_eq!(told.lines().count(), SETTINGS.len(), "{told}");
}

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
        // A stronger source wins whichever of the two forms either has; the weaker one's file is not read.
        config(&["--config=d"], &[("DOORWARD_ADMIN_KEY", KEY)], &[("d", "admin-key-file = '/nowhere'")]),
        config(
            &["--config=d"],
            &[("DOORWARD_ADMIN_KEY_FILE", "/run/key")],
            &[("d", "admin-key = 'x'"), files[0]],
        ),
    ] {
        assert_eq!(config.api_keys, [ApiKey { name: "admin".into(), scopes: Scopes::all(), hash }]);
    }
    for args in [vec!["--admin-key", KEY], vec![&*format!("--admin-key={KEY}")], vec!["--admin-key"]] {
        let told = mistakes(&args, &[], &[]);
        assert!(told.starts_with("admin-key (--admin-key): a secret has no flag"), "{told}");
        assert!(!told.contains(KEY) && told.lines().count() == 1, "{told}");
    }
}

#[test]
fn a_value_and_its_file_in_one_source_are_a_mistake() {
    let env = [("DOORWARD_ADMIN_KEY", KEY), ("DOORWARD_ADMIN_KEY_FILE", "/run/key")];
    let told = mistakes(&[], &env, &[("/run/key", KEY)]);
    assert_eq!(told, "admin-key (DOORWARD_ADMIN_KEY and DOORWARD_ADMIN_KEY_FILE): both are set: keep one");
    let told = file_mistakes("redis-url = 'redis://a'\nredis-url-file = '/x'\nadmin-key-file = '/x'");
    assert!(told.contains("redis-url (redis-url in d.toml and redis-url-file in d.toml): both"), "{told}");
    // An empty one beside the other is none.
    let env = [("DOORWARD_ADMIN_KEY", ""), env[1]];
    assert_eq!(config(&[], &env, &[("/run/key", KEY)]).api_keys.len(), 1);
}

#[test]
fn files_that_do_not_serve_are_mistakes() {
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
fn the_disk_is_read_up_to_a_limit() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/doorward.toml");
    assert_eq!(sources::read_file(&manifest).unwrap(), SAMPLE);
    let endless = sources::read_file(Path::new("/dev/zero")).unwrap_err();
    assert!(endless.to_string().contains("larger than"), "{endless}");
}

#[test]
fn broken_toml_is_a_mistake_beside_the_others_and_is_not_repeated() {
    for toml in [
        "\nadmin-key = hunter2hunter2\n",
        "\nadmin-key = 'hunter2",
        "\nadmin-key = \"hunter2\\q\"",
        "\nhunter2",
        "\nadmin-key = 'hunter2'\nadmin-key = 'hunter2'",
    ] {
        let told = mistakes(&["--config", "d.toml", "--lease=x"], &[], &[("d.toml", toml)]);
        assert!(told.starts_with("config (d.toml line "), "{told}");
        assert!(told.contains("lease (--lease)") && !told.contains("hunter2"), "{told}");
    }
    assert!(file_mistakes("\nlease = x").starts_with("config (d.toml line 2): "));
}

#[test]
fn toml_values_may_have_their_own_types() {
    let key = format!("ci:tokens+metrics:{}", "ab".repeat(32));
    let toml = format!(
        "\u{feff}cache-entries = 200_000\nrenewal-step = 0.25\nreuse-ends-token = false\nlease = '3s'\n\
         allowed-origins = ['https://a', 'https://b']\napi-keys = ['{key}']\ntoken-keys = ['{KEY}']\n\
         touch-resolution = 0"
    );
    let config = file_config(&toml);
    assert_eq!((config.cache_entries, config.reuse_ends_token), (200_000, false));
    assert_eq!(config.renewal_step, RenewalStep::Share { percent: 25 });
    let origins: Vec<_> = config.allowed_origins.iter().map(ToString::to_string).collect();
    assert_eq!(origins, ["https://a", "https://b"]);
    assert_eq!(config.api_keys[0].name, "ci");
    assert_eq!((config.token_keys[0].expose(), config.touch_resolution_ms), (KEY, 0));
    assert!(file_mistakes("lease = 2026-01-01").contains("is a date or a time"));
    assert!(file_mistakes("api-keys = [1]").contains("is a list of something else than texts"));
    assert!(file_mistakes("token-keys = ['a,b']").contains("a comma in one of its texts"));
    for text in ["\"a\\nb\"", "'#a'", "'a #b'"] {
        let told = file_mistakes(&format!("token-keys = [{text}]"));
        assert!(told.contains("a line break or a comment in one of its texts"), "{told}");
    }
    assert!(file_mistakes("token-keys-file = ['a']").contains("is a list, but takes one value"));
}

#[test]
fn redis_needs_a_key_and_memory_does_not() {
    let told = mistakes(&["--redis-url", "redis://a", "--lease=x"], &[], &[]);
    assert!(told.contains("admin-key (DOORWARD_ADMIN_KEY or DOORWARD_ADMIN_KEY_FILE): is missing"), "{told}");
    assert!(told.contains("lease (--lease)"), "{told}");
    let hash = "0".repeat(64);
    let config = config(&["--redis-url=redis://a", "--api-keys", &format!("x:all:{hash}")], &[], &[]);
    assert_eq!(config.api_keys.len(), 1);
    let told = mistakes(&["--redis-url=redis://a", "--api-keys= "], &[], &[]);
    assert!(told.contains("is missing"), "{told}");
    // A key that is there but bad is told once.
    let told = mistakes(&["--redis-url=redis://a"], &[("DOORWARD_ADMIN_KEY", "short")], &[]);
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn the_two_planes_have_two_addresses() {
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
fn named_checks_are_tables_or_a_list() {
    let toml = "checks = ['any', 'staff:backend=l%2Cdap+second-factor=true']";
    let tables = "[checks.any]\n[checks.staff]\nbackend = 'l,dap'\nsecond-factor = true";
    let flag = ["--checks", "any, staff:second-factor=true+backend=l%2Cdap"];
    let checks = file_config(toml).checks;
    assert_eq!((checks.len(), checks[1].backend.as_deref()), (2, Some("l,dap")));
    assert_eq!((&file_config(tables).checks, &config(&flag, &[], &[]).checks), (&checks, &checks));
    for (toml, told) in [
        ("[checks.staff]\nbackend = ['a']", r#"has in its "staff" a "backend" that is a list"#),
        ("[checks]\nstaff = 1", r#"has something else than a table as its "staff""#),
        ("[checks.'a,b']", "its name is not"),
        ("[checks.a]\n'slug=x' = 'y'", "is none of backend, slug"),
        ("[checks.a]\nslug = 'a b'", "its slug must be"),
    ] {
        let mistakes = file_mistakes(toml);
        assert!(mistakes.starts_with("checks (checks in d.toml): ") && mistakes.contains(told), "{mistakes}");
    }
}

#[test]
fn a_certificate_goes_with_its_key() {
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
    let good = config(&["--tls-cert=/a", "--tls-key=/b"], &[], &[]).tls;
    assert_eq!((good.cert, good.key), (Some("/a".into()), Some("/b".into())));
}

#[test]
fn trusted_proxies_are_networks_and_addresses() {
    let proxies = config(&["--trusted-proxies", "10.0.0.0/8, ::1,unix"], &[], &[]).trusted_proxies;
    let contains = |address: &str| proxies.contains(address.parse().unwrap());
    assert!(
        proxies.unix
            && contains("10.255.0.1")
            && contains("::1")
            && !contains("::2")
            && !contains("11.0.0.1")
    );
    let mapped = "::ffff:127.0.0.1, ::ffff:10.1.0.0/112";
    let mapped = config(&["--trusted-proxies", mapped], &[], &[]).trusted_proxies;
    let contains = |address: &str| mapped.contains(address.parse().unwrap());
    assert!(contains("127.0.0.1") && contains("10.1.255.255"));
    assert!(!contains("127.0.0.2") && !contains("10.2.0.0") && !contains("192.0.2.1"));
    for bad in ["::ffff:10.0.0.0/8", "::ffff:0:0/90"] {
        let told = mistakes(&["--trusted-proxies", &format!("::1,{bad}")], &[], &[]);
        assert!(told.contains("has an item 2 that maps IPv4 with a prefix below 96"), "{told}");
    }
    for bad in ["10.0.0.0/33", "localhost", "10.0.0", "unix:/a"] {
        let told = mistakes(&["--trusted-proxies", &format!("::1,{bad}")], &[], &[]);
        assert!(told.contains("has an item 2 that is neither a network"), "{told}");
    }
}

/// Most proxies ask by GET, so that the check would see nothing.
#[test]
fn the_csrf_check_needs_proxies_that_tell_the_method() {
    let told = mistakes(&["--cookie-csrf-check=true"], &[], &[]);
    assert!(told.starts_with("trusted-proxies (default): is missing: cookie-csrf-check needs"), "{told}");
    for proxies in ["unix", "::1", "10.0.0.0/8"] {
        assert!(
            config(&["--cookie-csrf-check=true", "--trusted-proxies", proxies], &[], &[]).cookie_csrf_check
        );
    }
}

#[test]
fn the_cookies_attributes_fit_each_other() {
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
    assert_eq!(file_config(good).cookie.domain.as_deref(), Some("example.com"));
    file_config("cookie-name = '__Host-a'\ncookie-same-site = 'none'");
    file_config("cookie-secure = false\ncookie-same-site = 'strict'");
    // A value that is a mistake by itself is told once.
    let told = file_mistakes("cookie-name = '__Host-a'\ncookie-domain = '.example.com'");
    assert!(told.lines().count() == 1 && told.contains("is not a domain"), "{told}");
    for bad in
        ["cookie-domain = '127.0.0.1'", "cookie-domain = 'a b'", "cookie-path = 'a'", "cookie-path = '/;'"]
    {
        file_mistakes(bad);
    }
}

#[test]
fn variables_of_a_kubernetes_service_are_left_alone() {
    let links = [
        ("DOORWARD_SERVICE_HOST", "10.0.0.1"),
        ("DOORWARD_SERVICE_PORT_AUTH", "8080"),
        ("DOORWARD_PORT", "tcp://10.0.0.1:8080"),
        ("DOORWARD_ADMIN_PORT_8081_TCP_ADDR", "10.0.0.1"),
    ];
    config(&[], &links, &[]);
    assert!(mistakes(&[], &[("DOORWARD_PORT", "8080")], &[]).starts_with("DOORWARD_PORT (environment)"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = OsString::from_vec(vec![0xff]);
    let env = [("OTHER".into(), value.clone()), ("DOORWARD_LEASE".into(), value)];
    let error = load_with([OsString::from("doorward")], env, &|_| Ok(String::new())).unwrap_err();
    assert_eq!(error.to_string(), "DOORWARD_LEASE (environment): the value is not UTF-8");
}

#[test]
fn commands_take_flags_before_and_after_them() {
    for args in [["--lease=3s", "healthcheck"], ["healthcheck", "--lease=3s"]] {
        assert!(matches!(run(&args, &[], &[]), Ok(Command::Healthcheck(config)) if config.lease_ms == 3_000));
    }
    assert!(matches!(run(&["check-config", "--lease=x"], &[], &[]), Err(error) if error.mistakes.len() == 1));
    // The first key is made before there are settings.
    let env = [("DOORWARD_REDIS_URL", "redis://a")];
    assert!(matches!(run(&["hash-key"], &env, &[]), Ok(Command::HashKey)));
    assert!(matches!(run(&["hash-key", "--lease=x"], &env, &[]), Ok(Command::HashKey)));
}

#[test]
fn a_bad_command_line_is_a_mistake_and_repeats_no_stray_argument() {
    for (args, name) in [
        (vec!["--bogus"], "--bogus (command line): is not a flag"),
        (vec!["--bogus=hunter2"], "--bogus (command line): is not a flag"),
        (vec!["--lese=1s"], "--lese (command line): is not a flag (did you mean --lease?)"),
        (vec!["-xhunter2"], "-x (command line): is not a flag"),
        (vec!["hunter2"], "doorward (command line): has an argument"),
        (vec!["hash-key", "hunter2"], "doorward (command line): has an argument"),
        (vec!["--lease"], "--lease (command line): a value is required"),
        (
            vec!["--lease=1s", "--lease=2s"],
            "--lease (command line): the argument '--lease <DURATION>' cannot",
        ),
        (vec!["help"], "doorward (command line): has an argument"),
    ] {
        let told = mistakes(&args, &[], &[]);
        assert!(told.starts_with(name) && !told.contains("hunter2"), "{args:?}\n{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    // What a broken command line might have gone on to say is not called missing.
    let told = mistakes(&["--redis-url=redis://a", "stray", "--api-keys=x"], &[], &[]);
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn an_unknown_name_hides_no_other_mistake() {
    let names = |told: &str| {
        let names = told.lines().map(|line| line.split(' ').next().unwrap().to_owned());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    };
    let file = [("d.toml", "colour = 'red'\nlease = 'fast'\nredis-url = 'redis://a'")];
    let told = mistakes(&["--config=d.toml"], &[("DOORWARD_BOGUS", "1")], &file);
    assert_eq!(names(&told), ["DOORWARD_BOGUS", "admin-key", "colour", "lease"], "{told}");
    for bogus in [vec!["--bogus"], vec!["--bogus", "1"], vec!["--bogus=1"]] {
        let args =
            [&["--redis-url=redis://a"], &bogus[..], &["--lease", "x", "--other=1", "--bogus"]].concat();
        let told = mistakes(&args, &[], &[]);
        assert_eq!(names(&told), ["--bogus", "--bogus", "--other", "admin-key", "lease"], "{told}");
    }
    assert_eq!(names(&mistakes(&["--bogus", "--help"], &[], &[])), ["--bogus"]);
    // In a file that is broken there may be a key.
    let told = mistakes(&["--config=d.toml", "--redis-url=redis://a"], &[], &[("d.toml", "lease = ")]);
    assert_eq!(names(&told), ["config"], "{told}");
}

#[test]
fn help_names_each_setting_its_variable_and_its_default() {
    let printed = |args: &[&str]| match run(args, &[("DOORWARD_LEASE", "x")], &[]) {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    };
    let help = printed(&["--help"]);
    for setting in SETTINGS {
        let flag = format!("--{} <{}>", setting.name, setting.value);
        assert_eq!(help.contains(&flag), setting.exposure != Exposure::Secret, "{flag}\n{help}");
        assert!(help.contains(&setting.variable()) && help.contains(setting.help), "{}", setting.name);
        assert!(help.contains(&format!("[default: {}]", setting.default)) || setting.default.is_empty());
    }
    for name in ["--config <PATH>", "check-config", "healthcheck", "hash-key", "--version"] {
        assert!(help.contains(name), "{name}\n{help}");
    }
    assert_eq!(printed(&["--version"]), format!("doorward {}\n", env!("CARGO_PKG_VERSION")));
    assert!(printed(&["check-config", "--help"]).contains("--redis-url <URL>"));
}

#[test]
fn no_secret_is_shown() {
    let env = [
        ("DOORWARD_ADMIN_KEY", KEY),
        ("DOORWARD_TOKEN_KEYS", KEY),
        ("DOORWARD_REDIS_URL", "redis://user:hunter2@host/1"),
        ("DOORWARD_API_KEYS", &format!("ci:tokens+metrics:{}", "ab".repeat(32))),
    ];
    let Ok(Command::CheckConfig { config, report }) = run(&["check-config", "--lease=3s"], &env, &[]) else {
        panic!("it is good");
    };
    for text in [&report, &format!("{config:?}"), &format!("{config:#?}")] {
        assert!(!text.contains("hunter2") && !text.contains("abab"), "{text}");
    }
    for line in [
        "OK: the settings are good",
        "listen = \"127.0.0.1:8080\"  # default",
        "lease = \"3s\"  # --lease",
        "redis-url = \"redis://user:***@host:6379/1\"  # DOORWARD_REDIS_URL",
        "admin-key = \"***\"  # DOORWARD_ADMIN_KEY",
        "api-keys = \"ci:tokens+metrics:***\"  # DOORWARD_API_KEYS",
        "token-keys = \"***\"  # DOORWARD_TOKEN_KEYS",
    ] {
        assert!(report.lines().any(|told| told == line), "{line}\nis not in\n{report}");
    }
    assert_eq!(config.api_keys.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["admin", "ci"]);
}

#[test]
fn hash_key_gives_what_api_keys_takes() {
    let hash = hash_key(&format!("{KEY}\n")).unwrap();
    assert_eq!(parse::api_keys(&format!("x:all:{hash}")).unwrap()[0].hash, ApiKey::hash_of(KEY.as_bytes()));
    assert!(hash_key("hunter2").is_err_and(|error| !error.contains("hunter2")));
}

/// The sample file with the sign before each setting taken away.
fn uncommented_sample() -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting.to_owned(),
        _ => line.to_owned(),
    };
    SAMPLE.lines().map(uncomment).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_file_has_every_setting_with_its_default() {
    assert_eq!(file_config(SAMPLE), Config::default());
    let sample = uncommented_sample();
    assert_eq!(file_config(&sample), Config::default());
    let is_setting = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let names: Vec<_> =
        sample.lines().filter(is_setting).map(|line| line.split(" = ").next().unwrap()).collect();
    assert_eq!(names, SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>());
}

#[test]
fn long_and_odd_values_are_cut_and_escaped() {
    let told = mistakes(&[&format!("--cookie-name=\u{1b}[2J{}", "é".repeat(500))], &[], &[]);
    assert!(told.len() < 400 && told.contains("\\u{1b}[2J") && told.contains('…'), "{told}");
}
