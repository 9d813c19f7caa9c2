//! The OpenAPI document against the real answers: schemathesis generates requests from it. No answer may be a 5xx, or
//! have a status, content type or schema that the document does not contain.
//!
//! `OPENAPI_EXAMPLES=500 cargo test --test integration openapi` makes more requests.

use std::path::Path;
use std::process::Command;

use crate::common::server::{Server, key};

/// Generated requests for each operation.
const EXAMPLES: &str = "15";
/// A request that conforms to the document may still be refused (byte lengths, settings), so that check is excluded.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
     response_schema_conformance";

#[test]
fn the_openapi_document_is_public() {
    let server = Server::start(&[]);
    let response = server.admin().get("/openapi.json", &[]);
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    assert_eq!(response.json()["openapi"], "3.1.0");
    assert_eq!(response.text(), include_str!("../../docs/openapi.json"));
}

#[test]
fn every_response_conforms_to_the_openapi_document() {
    let server = Server::start(&[]);
    let url = format!("http://{}", server.admin_listen());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin/schemathesis");
    let examples = std::env::var("OPENAPI_EXAMPLES").unwrap_or_else(|_| EXAMPLES.into());
    let (name, value) = key();
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(&program)
        .current_dir(dir.path())
        .arg("run")
        .arg(format!("{url}/openapi.json"))
        .args(["--url", &url, "--header", &format!("{name}: {value}")])
        // Excluded: the feed, which never ends, and the validation plane, which has another address.
        .args(["--exclude-path", "/v1/events"])
        .args(["--exclude-path-regex", "^/(auth|auth-optional|check/.*|session|session/upgrade|logout)$"])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--seed", "1", "--max-examples", &examples, "--generation-database", "none"])
        .output()
        .unwrap_or_else(|error| panic!("cannot start {} ({error}): run scripts/setup", program.display()));
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains("generated"), "{report}");
}
