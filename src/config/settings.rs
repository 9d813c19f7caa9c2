//! The one table of settings. Flags, environment names, TOML keys, defaults and `--help` all come from it.

/// How openly a setting may be given and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Shown as it is.
    Public,
    /// Has a flag, but its value may contain something secret: never echoed, shown with that part replaced.
    Redacted,
    /// Has no flag, because process lists show flags; never shown.
    Secret,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name: the TOML key, and with `--` before it the flag.
    pub name: &'static str,
    /// What `--help` calls its value.
    pub value: &'static str,
    /// The text that stands for it when it is not given; empty where that means "unset" or "none".
    pub default: &'static str,
    /// One line for `--help`.
    pub help: &'static str,
    /// Whether it takes several values: commas in text, an array in TOML.
    pub list: bool,
    /// Whether its values may be tables in TOML, each with a name.
    pub tables: bool,
    /// How openly it may be given and shown.
    pub exposure: Exposure,
}

impl Setting {
    const fn new(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, value, default, help, list: false, tables: false, exposure: Exposure::Public }
    }

    const fn list(self) -> Self {
        Self { list: true, ..self }
    }

    /// A list whose items have names, and so may be tables.
    const fn tables(self) -> Self {
        Self { list: true, tables: true, ..self }
    }

    const fn redacted(self) -> Self {
        Self { exposure: Exposure::Redacted, ..self }
    }

    const fn secret(self) -> Self {
        Self { exposure: Exposure::Secret, ..self }
    }

    /// The environment variable that gives it.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.replace('-', "_").to_ascii_uppercase())
    }

    /// The environment variable that names a file with its value; `None` where there is none.
    pub fn file_variable(&self) -> Option<String> {
        self.may_be_in_a_file().then(|| self.variable() + "_FILE")
    }

    /// The TOML key that names a file with its value; `None` where there is none.
    pub fn file_key(&self) -> Option<String> {
        self.may_be_in_a_file().then(|| format!("{}-file", self.name))
    }

    fn may_be_in_a_file(&self) -> bool {
        self.exposure != Exposure::Public
    }
}

/// What the name of every environment variable of ours starts with.
pub const VARIABLE_PREFIX: &str = "DOORWARD_";

/// The path of the TOML file: the one setting that cannot be in it.
pub const CONFIG: Setting = Setting::new("config", "PATH", "", "TOML file with settings");

/// Every setting but [`CONFIG`], in the order of `--help` and of `config/doorward.toml`.
#[rustfmt::skip] // one setting, one or two lines: a table
pub const SETTINGS: &[Setting] = &[
    Setting::new("listen", "ADDRESS", "127.0.0.1:8080",
        "Where the validation plane listens: IP:PORT or unix:/path; port 0 picks a free one"),
    Setting::new("admin-listen", "ADDRESS", "127.0.0.1:8081",
        "Where the admin plane listens: IP:PORT or unix:/path; port 0 picks a free one"),
    Setting::new("grpc-listen", "ADDRESS", "",
        "Where Envoy's ext_authz over gRPC is answered: IP:PORT or unix:/path; nowhere when empty"),
    Setting::new("unix-socket-mode", "MODE", "",
        "Permissions of the listeners' unix sockets in octal, such as 660; as the umask has them when empty"),
    Setting::new("tls-cert", "PATH", "",
        "Certificate chain in PEM: the validation plane and gRPC speak TLS, and nothing else, when set"),
    Setting::new("tls-key", "PATH", "", "Key of tls-cert in PEM"),
    Setting::new("admin-tls-cert", "PATH", "",
        "Certificate chain in PEM: the admin plane speaks TLS, and nothing else, when set"),
    Setting::new("admin-tls-key", "PATH", "", "Key of admin-tls-cert in PEM"),
    Setting::new("admin-client-ca", "PATH", "",
        "Authorities in PEM: only clients with a certificate of one of them reach the admin plane"),
    Setting::new("allowed-origins", "ORIGINS", "",
        "Other origins whose pages may use the cookie for more than reading, by commas").list(),
    Setting::new("trusted-proxies", "NETWORKS", "",
        "Whose X-Forwarded-… and X-Original-… headers count, by commas: 10.0.0.0/8, ::1, unix").list(),
    Setting::new("max-connections", "N", "10000", "Most connections open at once, for each listener"),
    Setting::new("request-timeout", "DURATION", "10s",
        "Longest time a client may take to send a request's body (admin plane, gRPC)"),
    Setting::new("idle-timeout", "DURATION", "75s",
        "How long a connection waits for a request, and for the rest of its head"),
    Setting::new("shutdown-delay", "DURATION", "0",
        "How long a stopping server fails its readiness before it takes no more connections"),
    Setting::new("drain-timeout", "DURATION", "8s", "Longest time for open requests to end at shutdown"),
    Setting::new("validation-threads", "N", "0", "Threads of the validation plane; 0 is one per core"),

    Setting::new("redis-url", "URL", "",
        "Where Redis is; without it an embedded store keeps all in memory").redacted(),
    Setting::new("redis-ca-file", "PATH", "",
        "Authorities of Redis's certificate in PEM, with rediss://; without it the system's"),
    Setting::new("key-prefix", "TEXT", "dw:", "What the name of every key in Redis starts with"),
    Setting::new("redis-timeout", "DURATION", "500ms", "Longest wait for an answer of Redis"),
    Setting::new("redis-connections", "N", "8", "Most Redis connections for calls of the admin plane"),
    Setting::new("memory-max-tokens", "N", "1000000", "Most tokens the embedded store holds"),

    Setting::new("admin-key", "KEY", "", "API key with all scopes").secret(),
    Setting::new("api-keys", "KEYS", "",
        "Further API keys, by commas or lines, each NAME:SCOPE+SCOPE:HASH (see hash-key)").list().redacted(),
    Setting::new("token-keys", "KEYS", "",
        "Keys that sign token strings, by commas or lines: the first signs, all verify").list().secret(),

    Setting::new("cookie-name", "NAME", "doorward", "Cookie that may carry the token"),
    Setting::new("cookie-secure", "BOOL", "true", "Whether browsers send the cookie over HTTPS only"),
    Setting::new("cookie-http-only", "BOOL", "true", "Whether scripts of a page cannot read the cookie"),
    Setting::new("cookie-same-site", "POLICY", "lax",
        "Which requests from other sites carry the cookie: lax, strict or none"),
    Setting::new("cookie-domain", "DOMAIN", "", "Domain that the cookie is for with all its hosts; else one host"),
    Setting::new("cookie-path", "PATH", "/", "Path that the cookie is for, with all below it"),
    Setting::new("cookie-csrf-check", "BOOL", "false",
        "Whether /auth and /check refuse the cookie when another site makes a browser send more than a read"),
    Setting::new("default-token-age", "DURATION", "1h", "How long a token lives without access"),
    Setting::new("max-token-age", "DURATION", "14d", "How long a preserved token lives without access"),
    Setting::new("absolute-lifetime", "DURATION", "30d", "How long any token lives at most"),
    Setting::new("renewal-step", "STEP", "10%",
        "How much of its time a token uses up before an access renews it: a share or a duration"),
    Setting::new("renewal-exempt-header", "NAME", "",
        "Header that marks requests which neither renew a token nor count as access"),
    Setting::new("rotation-grace", "DURATION", "10s", "How long the old secret works after a rotation"),
    Setting::new("reuse-ends-token", "BOOL", "true", "Whether a rotated-out secret seen after its grace revokes the token"),
    Setting::new("max-tokens-per-user", "N", "1000", "Most tokens a user has at once"),
    Setting::new("max-tokens-per-object", "N", "10000", "Most live tokens of a related object"),
    Setting::new("over-limit", "RULE", "end-oldest",
        "What one token too many does: end-oldest or refuse-new"),
    Setting::new("revoked-retention", "DURATION", "24h", "How long an ended token can still be looked at"),
    Setting::new("max-takeover-age", "DURATION", "7d", "How long a takeover lasts at most"),
    Setting::new("takeover-retention", "DURATION", "30d", "How long a takeover that is over can be looked at"),
    Setting::new("device-max-idle", "DURATION", "365d", "How long an unused device key lives"),
    Setting::new("max-devices-per-user", "N", "100", "Most device keys a user has at once"),
    Setting::new("checks", "CHECKS", "",
        "Named checks at /check/NAME, by commas: NAME:backend=X+slug=Y+second-factor=BOOL+anonymous=BOOL").tables(),
    Setting::new("events-per-user", "N", "100", "Newest events kept of a user; 0 keeps none"),
    Setting::new("event-retention", "DURATION", "7d", "How long an event is kept"),

    Setting::new("cache-entries", "N", "100000", "Most tokens kept in the near cache; 0 turns it off"),
    Setting::new("lease", "DURATION", "2s", "Longest time an ended token may still pass when the network fails"),
    Setting::new("stale-grace", "DURATION", "0",
        "How long known tokens still pass while Redis is down; 0 is not at all"),

    Setting::new("touch-resolution", "DURATION", "60s",
        "At most one access of a token is recorded in this time; 0 records every one"),
    Setting::new("flush-interval", "DURATION", "1s", "How often recorded accesses are written to the store"),
    Setting::new("flush-queue", "N", "100000", "Most recorded accesses that wait to be written"),

    Setting::new("log-level", "LEVEL", "info", "Least severe log lines: error, warn, info, debug or trace"),
    Setting::new("log-format", "FORMAT", "text", "Log lines as text or json"),
];

/// The setting of this name; `config` is none of them.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// " (did you mean X?)" for the candidate most like a name that is none, or nothing.
pub fn did_you_mean(name: &str, candidates: impl IntoIterator<Item = String>) -> String {
    /// The measure costs length times length; no setting's name is longer.
    const MAX_NAME_BYTES: usize = 64;
    const LEAST_LIKENESS: f64 = 0.85;
    if name.len() > MAX_NAME_BYTES {
        return String::new();
    }
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro(name, &candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!(" (did you mean {candidate}?)"))
        .unwrap_or_default()
}
