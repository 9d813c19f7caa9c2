//! The checks of what the settings bring along: certificates, API keys, files with secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::check::Check;
use crate::clock::Clock;
use crate::config::Config;
use crate::files::read_bounded;
use crate::server::tls_files;
use crate::server::transport::certificate::Validity;
use crate::server::transport::tls_files::TlsFiles;
use crate::store::report::Severity;

const CERTIFICATES: &str = "certificates";
const KEY_FILES: &str = "key files";
const API_KEYS: &str = "api keys";
const DAY_S: u64 = 24 * 3600;
/// A certificate that expires sooner is a warning.
const WARN_DAYS: u64 = 14;
/// The mode bits that let others than owner and group read a secret, or others than the owner change it.
const TOO_OPEN: u32 = 0o027;

/// Checks the files that the settings name, and the API keys.
pub(super) fn run(config: &Config, clock: &Clock) -> Vec<Check> {
    let listeners = tls_files(config);
    let mut checks: Vec<_> = listeners.iter().flat_map(|files| of_listener(files, clock)).collect();
    if let Some(path) = &config.redis_ca_file {
        checks.push(of_authorities("redis-ca-file", path, clock));
    }
    if checks.is_empty() {
        checks.push(Check::ok(CERTIFICATES, "none configured"));
    }
    checks.extend(of_api_keys(config, clock));
    checks
}

/// Checks when the API keys expire.
fn of_api_keys(config: &Config, clock: &Clock) -> Vec<Check> {
    let keys = config.all_api_keys();
    let expiring = keys.iter().filter_map(|key| {
        let cause = format!("{} ({key})", key.expiry_warning(clock.wall_ms())?);
        let fix = "give its users another key, and set it: a reload takes it over";
        Some(Check::failed(API_KEYS, Severity::Warning, &key.name, cause, fix))
    });
    let expiring: Vec<_> = expiring.collect();
    match expiring.is_empty() {
        true => vec![Check::ok(API_KEYS, format!("{} configured, none expires soon", keys.len()))],
        false => expiring,
    }
}

/// Checks that the files of a listener fit together, when its certificates expire, and who may read its key.
fn of_listener(files: &TlsFiles, clock: &Clock) -> Vec<Check> {
    let (cert, key) = (&files.cert, &files.key);
    let mut checks = vec![match files.check(clock) {
        Err(error) => Check::failed(
            CERTIFICATES,
            Severity::Fatal,
            error.setting,
            error.problem,
            "correct the setting, or the file that it names",
        ),
        Ok(()) => {
            let validity = read_bounded(&cert.path).ok().and_then(|pem| Validity::of_chain(&pem));
            of_validity(cert.setting, validity, clock)
        }
    }];
    if let Some(client_ca) = &files.client_ca {
        checks.push(of_authorities(client_ca.setting, &client_ca.path, clock));
    }
    // A file that cannot be read is reported with its certificate.
    checks.extend(of_secret(key.setting.to_owned(), &key.path));
    checks
}

/// Checks authorities. Of several, one that has expired is no fault: it may be the former one.
fn of_authorities(setting: &'static str, path: &Path, clock: &Clock) -> Check {
    let pem = match read_bounded(path) {
        Ok(pem) => pem,
        Err(error) => {
            let cause = format!("cannot read the file: {error}");
            return Check::failed(
                CERTIFICATES,
                Severity::Fatal,
                setting,
                cause,
                "correct the path, or who may read it",
            );
        }
    };
    let newest = Validity::of_each(&pem).and_then(|each| each.into_iter().max_by_key(|one| one.not_after_s));
    of_validity(setting, newest, clock)
}

fn of_validity(setting: &'static str, validity: Option<Validity>, clock: &Clock) -> Check {
    let failed = |severity, cause: String, fix| Check::failed(CERTIFICATES, severity, setting, cause, fix);
    let Some(validity) = validity else {
        return failed(Severity::Warning, "the dates of the certificate cannot be read".into(), "replace it");
    };
    let now_s = clock.wall_ms() / 1000;
    let Validity { not_before_s, not_after_s } = validity;
    if now_s > not_after_s {
        let cause = format!("the certificate expired on {}", date(not_after_s));
        return failed(
            Severity::Fatal,
            cause,
            "replace the files: a running node takes them over within 2 s",
        );
    }
    if now_s < not_before_s {
        let cause = format!("the certificate is not valid before {}", date(not_before_s));
        return failed(Severity::Fatal, cause, "correct this machine's clock, or replace the certificate");
    }
    let days = (not_after_s - now_s) / DAY_S;
    if days < WARN_DAYS {
        let cause = format!("the certificate expires in {days} days, on {}", date(not_after_s));
        return failed(Severity::Warning, cause, "renew it: a running node takes the files over within 2 s");
    }
    Check::ok(CERTIFICATES, format!("{setting}: valid until {}", date(not_after_s)))
}

/// Formats a time of a certificate.
fn date(unix_s: u64) -> String {
    let time = i64::try_from(unix_s).ok().and_then(|unix_s| DateTime::from_timestamp(unix_s, 0));
    time.map_or_else(|| "an unknown date".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// Checks who may read or change the files of these settings, such as `admin-key-file`.
pub(super) fn of_secret_files(files: &[(&'static str, PathBuf)]) -> Vec<Check> {
    files.iter().filter_map(|(setting, path)| of_secret(format!("{setting}-file"), path)).collect()
}

/// Checks who may read or change a file with a secret. Returns nothing if there is no such file.
fn of_secret(setting: String, path: &Path) -> Option<Check> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    if mode & TOO_OPEN == 0 {
        return Some(Check::ok(KEY_FILES, format!("{setting}: mode {mode:03o}")));
    }
    let cause = format!("mode {mode:03o} lets other users read or change the secret");
    let fix = format!("chmod 600 {}", path.display());
    Some(Check::failed(KEY_FILES, Severity::Warning, &setting, cause, fix))
}
