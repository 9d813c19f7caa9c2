//! The OpenAPI documents against the real answers: schemathesis generates requests from them. No answer may be a 5xx, or
//! have a status, header, content type or schema that the document does not contain.
//!
//! `OPENAPI_EXAMPLES=500 cargo test --test integration openapi` makes more requests.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::common::server::{Server, bearer, key};

/// Generated requests for each operation.
const EXAMPLES: &str = "15";
/// A request that conforms to the document may still be refused (byte lengths, settings), so that check is excluded.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
     response_schema_conformance";

#[test]
fn the_openapi_documents_are_public() {
    let server = Server::start(&[]);
    for (path, document) in [
        ("/openapi.json", include_str!("../../docs/openapi.json")),
        ("/openapi-validation.json", include_str!("../../docs/openapi-validation.json")),
    ] {
        let response = server.admin().get(path, &[]);
        assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
        assert_eq!(response.json()["openapi"], "3.1.0");
        assert_eq!(response.text(), document);
    }
}

/// Runs schemathesis on a document of the server's, with these arguments besides.
fn conform(server: &Server, document: &str, args: &[&str]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin/schemathesis");
    let examples = std::env::var("OPENAPI_EXAMPLES").unwrap_or_else(|_| EXAMPLES.into());
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(&program)
        .current_dir(dir.path())
        .arg("run")
        .arg(format!("http://{}/{document}", server.admin_listen()))
        .args(args)
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--seed", "1", "--max-examples", &examples, "--generation-database", "none"])
        .output()
        .unwrap_or_else(|error| panic!("cannot start {} ({error}): run scripts/setup", program.display()));
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains("generated"), "{report}");
}

#[test]
fn every_response_of_the_admin_plane_conforms_to_the_openapi_document() {
    let server = Server::start(&[]);
    let url = format!("http://{}", server.admin_listen());
    let (name, value) = key();
    let key = format!("{name}: {value}");
    // Excluded: the feed, which never ends.
    let args = ["--url", &url, "--header", &key, "--exclude-path", "/v1/events"];
    conform(&server, "openapi.json", &args);
}

#[test]
fn every_response_of_the_validation_plane_conforms_to_the_openapi_document() {
    let server = Server::start(&[]);
    let url = format!("http://{}", server.listen());
    let token = bearer(&server.issue(json!({}))["token"]);
    let header = format!("Authorization: {token}");
    for args in [&["--url", &url][..], &["--url", &url, "--header", &header]] {
        conform(&server, "openapi-validation.json", args);
    }
}
