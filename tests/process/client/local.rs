//! The commands that need no server: keys, completions, manual pages.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::server::Server;
use crate::process::outcome::outcome;

#[test]
fn a_new_key_works_with_the_line_that_is_printed() {
    let (code, stdout, stderr) = outcome(&["new-key", "--name", "login", "--scopes", "tokens+devices"], &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let value = |name: &str| {
        let line =
            stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{stdout}"));
        line.trim().to_owned()
    };
    let (key, line) = (value("key "), value("api-keys "));
    let server = Server::start(&[("DOORWARD_API_KEYS", &line)]);
    let bearer = format!("Bearer {key}");
    let status = |path: &str| server.admin().get(path, &[("Authorization", &bearer)]).status;
    assert_eq!(
        [status("/v1/users/a/tokens"), status("/v1/users/a/devices"), status("/metrics")],
        [200, 200, 403]
    );
    let next = outcome(&["new-key"], &[]).1;
    assert!(next.starts_with("key  ") && next.contains("\nhash ") && !next.contains(&key), "{next}");
}

#[test]
fn a_new_key_goes_into_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    let expires = "--expires=2099-01-31T00:00:00Z";
    let args =
        ["new-key", "--name=ci", "--scopes=all", expires, "--json", "--key-file", file.to_str().unwrap()];
    let (code, stdout, _) = outcome(&args, &[]);
    assert!(stdout.contains(":expires=2099-01-31T00:00:00Z"), "{stdout}");
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &shown["key_file"], &shown["key"]), (0, &json!(file), &Value::Null), "{shown}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read_to_string(&file).unwrap();
    assert!(key.trim_end().len() == 43 && !stdout.contains(key.trim_end()), "{stdout}");
    // A key in use is not overwritten.
    let (code, _, stderr) = outcome(&args, &[]);
    assert!(code == 1 && stderr.contains("key file not written"), "{stderr}");
    assert_eq!(fs::read_to_string(&file).unwrap(), key);
}

#[test]
fn a_new_token_key_is_accepted_and_bad_names_are_not() {
    let (_, stdout, _) = outcome(&["new-key", "--token-key", "--json"], &[]);
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    let settings = [("DOORWARD_TOKEN_KEYS", shown["key"].as_str().unwrap())];
    assert_eq!(outcome(&["check-config"], &settings).0, 0);
    for args in [
        &["--name=a b", "--scopes=all"][..],
        &["--name=a", "--scopes=everything"],
        &["--name=a", "--scopes=all", "--expires=soon"],
    ] {
        let (code, stdout, stderr) = outcome(&[&["new-key"], args].concat(), &[]);
        assert_eq!((code, stdout.as_str()), (78, ""), "{stderr}");
    }
}

#[test]
fn completions_parse() {
    let dir = tempfile::tempdir().unwrap();
    for (shell, word) in
        [("bash", "complete"), ("zsh", "#compdef doorward"), ("fish", "complete -c doorward")]
    {
        let (code, script, stderr) = outcome(&["completions", shell], &[]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(script.contains(word) && script.contains("healthcheck"), "{shell}");
        let file = dir.path().join(shell);
        fs::write(&file, &script).unwrap();
        match Command::new(shell).arg("-n").arg(&file).output() {
            Ok(output) => {
                assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr))
            }
            // Every machine with the tests has bash; the other shells are checked where they are installed.
            Err(error) => assert!(error.kind() == ErrorKind::NotFound && shell != "bash", "{shell}: {error}"),
        }
    }
}

/// Formats a page where groff is installed, without a warning.
fn assert_is_formatted(page: &Path) {
    let groff = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(page).stdin(Stdio::null()).output();
    match groff {
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", page.display());
            assert!(output.stdout.len() > 500, "{}", page.display());
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("share/man/man1");
    let (code, page, _) = outcome(&["man"], &[]);
    assert!(code == 0 && page.contains(".TH doorward 1") && page.contains(".SH OPTIONS"), "{page}");
    assert!(page.contains(".SH SYNOPSIS\ndoorward [OPTIONS] [COMMAND]\n"), "{page}");
    assert_eq!(outcome(&["man", "--dir", dir.to_str().unwrap()], &[]).0, 0);
    for name in
        ["doorward", "doorward-serve", "doorward-token-issue", "doorward-user-erase", "doorward-events"]
    {
        let page = fs::read_to_string(dir.join(format!("{name}.1"))).unwrap();
        let title = format!(".TH {name} 1  \"doorward {}\"", env!("CARGO_PKG_VERSION"));
        assert!(page.contains(&title) && page.contains(".SH NOTES"), "{page}");
        assert!(!page.contains("\n\n.TP"), "{name}: a flag without a text\n{page}");
    }
    for page in dir.read_dir().unwrap() {
        assert_is_formatted(&page.unwrap().path());
    }
    assert_eq!(outcome(&["man", "--dir", "/dev/null/man"], &[]).0, 1);
}
