//! The sessions in README.md and in docs, run unchanged against a server on the embedded store.
//!
//! Bash runs each fenced block with the info string `sh session`. A following block with the info string `http`, `json`
//! or `text` is the expected output. Only times, tokens and ids may differ; later commands use the ones of this run.

use std::fs;
use std::path::Path;
use std::process::Command;

use doorward::internals::token_string::{ID_CHARS, TokenId};
use serde_json::Value;

use crate::common::process::Process;
use crate::common::server::{binary, run};

#[test]
fn the_session_of_the_readme_works() {
    assert_eq!(run_session("README.md"), 4, "answers shown");
}

#[test]
fn the_examples_of_the_http_api_work() {
    for (page, answers) in [
        ("docs/api.md", 14),
        ("docs/validation-plane.md", 9),
        ("docs/device-keys.md", 5),
        ("docs/status.md", 2),
    ] {
        assert_eq!(run_session(page), answers, "answers shown in {page}");
    }
}

#[test]
fn the_examples_of_the_lifecycle_work() {
    assert_eq!(run_session("docs/lifecycle.md"), 15, "answers shown");
}

#[test]
fn the_examples_of_the_command_line_work() {
    assert_eq!(run_session("docs/cli.md"), 12, "answers shown");
}

/// The session that the server prints at start.
#[test]
fn the_session_printed_at_start_works() {
    let server = Server::start();
    let stdout = server.process.stdout();
    let (_, printed) = stdout.split_once("A first session:\n").expect("a first session");
    let commands = |from: &str, to: &str| {
        let lines = printed.lines().skip_while(|line| !line.contains(from));
        lines.take_while(|line| !line.contains(to)).collect::<Vec<_>>().join("\n")
    };
    let issued = bash(&commands("KEY=", "# may this request pass?"));
    let issued: Value = serde_json::from_str(&issued).unwrap_or_else(|error| panic!("{error}: {issued}"));
    let token = issued["token"].as_str().expect("a token");

    let pass =
        commands("# may this request pass?", "# log out").replace("Bearer TOKEN", &format!("Bearer {token}"));
    assert!(bash(&pass).starts_with("HTTP/1.1 200 "));
    let end = [commands("KEY=", "# issue a token"), commands("# log out", "no such line")].join("\n");
    assert_eq!(bash(&end), "{\"revoked\":1}\n");
    assert!(bash(&pass).starts_with("HTTP/1.1 401 "));
}

struct Server {
    process: Process,
    listen: String,
    admin_listen: String,
    admin_key: String,
}

impl Server {
    fn start() -> Self {
        let any_ports = [("DOORWARD_LISTEN", "127.0.0.1:0"), ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0")];
        let mut process = run(&[], &any_ports);
        process.wait_until("ready", |process| {
            process.stdout().contains("# log out") && process.stdout().ends_with('\n')
        });
        let stdout = process.stdout();
        let after = |label: &str| {
            let (_, rest) = stdout.split_once(label).unwrap_or_else(|| panic!("no {label} in {stdout}"));
            rest.split_whitespace().next().unwrap_or_default().to_owned()
        };
        let (listen, admin_listen) = (after("ready listen="), after(" admin-listen="));
        let admin_key = after("admin key for this run: ");
        Self { process, listen, admin_listen, admin_key }
    }
}

/// Runs the session of a document; returns the number of answers that it shows.
fn run_session(document: &str) -> usize {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let server = Server::start();
    // Values of the document, and their counterparts in this run.
    let mut known = vec![
        ("127.0.0.1:8080".to_owned(), server.listen.clone()),
        ("127.0.0.1:8081".to_owned(), server.admin_listen.clone()),
    ];
    let mut variables = format!(
        "KEY='{0}'\nexport DOORWARD_ADMIN_KEY='{0}' DOORWARD_ADMIN_URL=http://{1} PATH='{2}':\"$PATH\"\n",
        server.admin_key,
        server.admin_listen,
        binary().parent().unwrap().display()
    );
    let mut answers = 0;
    let blocks = fenced_blocks(&text);
    for (at, (kind, block)) in blocks.iter().enumerate() {
        if *kind != "sh session" {
            continue;
        }
        let commands = known.iter().fold(block.clone(), |text, (shown, real)| text.replace(shown, real));
        let (assignments, rest): (Vec<&str>, Vec<&str>) =
            commands.lines().partition(|line| is_assignment(line));
        // The document shows the key of another run.
        for line in assignments.iter().filter(|line| !line.starts_with("KEY=")) {
            variables += &format!("{line}\n");
        }
        let output = bash(&format!("{variables}{}", rest.join("\n"))).replace("\r\n", "\n");
        if let Some((kind @ ("http" | "json" | "text"), shown)) = blocks.get(at + 1).map(|(k, b)| (*k, b)) {
            let mut compare = Comparison { context: format!("{document}: {block}"), learned: &mut known };
            compare.answer(kind, shown, &output);
            answers += 1;
        }
    }
    answers
}

/// Returns the fenced blocks of a Markdown text: info string and content.
fn fenced_blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let content: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind, content.join("\n")));
        }
    }
    blocks
}

fn is_assignment(line: &str) -> bool {
    let name = line.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn bash(commands: &str) -> String {
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", commands]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}\nfailed: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Compares the output that a document shows with the real output.
struct Comparison<'a> {
    context: String,
    learned: &'a mut Vec<(String, String)>,
}

impl Comparison<'_> {
    fn answer(&mut self, kind: &str, shown: &str, real: &str) {
        match kind {
            "http" => {
                let (shown_head, shown_body) = shown.split_once("\n\n").unwrap_or((shown, ""));
                let (real_head, real_body) = real.split_once("\n\n").unwrap_or((real, ""));
                self.lines(shown_head, real_head);
                if !shown_body.is_empty() || !real_body.is_empty() {
                    self.json(&parsed(shown_body), &parsed(real_body));
                }
            }
            "json" => self.json(&parsed(shown), &parsed(real)),
            _ => self.lines(shown, real),
        }
    }

    fn lines(&mut self, shown: &str, real: &str) {
        assert_eq!(shown.lines().count(), real.lines().count(), "{}\n{real}", self.context);
        for (shown, real) in shown.lines().zip(real.lines()) {
            match (shown.split_once(": "), real.split_once(": ")) {
                // Matches header names, not their values.
                (Some(("date", _)), Some(("date", _))) => {}
                (Some(("x-auth-expires-in", shown)), Some(("x-auth-expires-in", real))) => {
                    assert_eq!(shown == "0", real == "0", "{}", self.context);
                    assert!(real.parse::<u64>().is_ok(), "{}: {real}", self.context);
                }
                (Some((shown_name, shown)), Some((real_name, real))) => {
                    assert_eq!(shown_name, real_name, "{}", self.context);
                    self.text(shown, real);
                }
                _ => self.words(shown, real),
            }
        }
    }

    fn words(&mut self, shown: &str, real: &str) {
        assert_eq!(
            shown.split_whitespace().count(),
            real.split_whitespace().count(),
            "{}\n{real}",
            self.context
        );
        for (shown, real) in shown.split_whitespace().zip(real.split_whitespace()) {
            match (shown.split_once('='), real.split_once('=')) {
                (Some((shown_name, shown)), Some((real_name, real))) => {
                    assert_eq!(shown_name, real_name, "{}", self.context);
                    self.text(shown, real);
                }
                _ => self.text(shown, real),
            }
        }
    }

    fn json(&mut self, shown: &Value, real: &Value) {
        match (shown, real) {
            (Value::Object(shown), Value::Object(real)) => {
                let keys =
                    |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
                assert_eq!(keys(shown), keys(real), "{}", self.context);
                shown.values().zip(real.values()).for_each(|(shown, real)| self.json(shown, real));
            }
            (Value::Array(shown), Value::Array(real)) => {
                assert_eq!(shown.len(), real.len(), "{}", self.context);
                shown.iter().zip(real).for_each(|(shown, real)| self.json(shown, real));
            }
            (Value::String(shown), Value::String(real)) => self.text(shown, real),
            _ => assert_eq!(shown, real, "{}", self.context),
        }
    }

    /// Compares two values; tokens, ids and times need only be of the same kind.
    fn text(&mut self, shown: &str, real: &str) {
        let (shown, real) = match (shown.strip_prefix("/v1/tokens/"), real.strip_prefix("/v1/tokens/")) {
            (Some(shown), Some(real)) => (shown, real),
            _ => (shown, real),
        };
        if shown == real {
            return;
        }
        let both = |is: fn(&str) -> bool| is(shown) && is(real);
        if both(is_request_id) {
            // Nothing refers to it later.
        } else if both(is_token) || both(|text| TokenId::parse(text).is_some()) {
            self.learned.push((shown.to_owned(), real.to_owned()));
            if let (Some(shown), Some(real)) = (id_in(shown), id_in(real)) {
                self.learned.push((shown.to_owned(), real.to_owned()));
            }
            // A token contains its id, so the longer string is replaced first.
            self.learned.sort_by_key(|(shown, _)| std::cmp::Reverse(shown.len()));
        } else {
            assert!(both(is_time), "{}\nshown: {shown}\ngiven: {real}", self.context);
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

fn is_token(text: &str) -> bool {
    let rest = text.strip_prefix("dw_").or_else(|| text.strip_prefix("dwd_"));
    rest.is_some_and(|rest| rest.len() == 48)
}

fn is_request_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The id in a token string.
fn id_in(text: &str) -> Option<&str> {
    text.strip_prefix("dw_")?.get(..ID_CHARS)
}

fn is_time(text: &str) -> bool {
    chrono::DateTime::parse_from_rfc3339(text).is_ok() && text.ends_with('Z')
}
