//! Environment variables.

use std::ffi::OsString;

use super::support::{config, mistakes};
use crate::cli::command_line::read_with;
use crate::config::setting::CLIENT_VARIABLES;

#[test]
fn variables_of_a_kubernetes_service_are_ignored() {
    let links = [
        ("DOORWARD_SERVICE_HOST", "10.0.0.1"),
        ("DOORWARD_SERVICE_PORT_AUTH", "8080"),
        ("DOORWARD_PORT", "tcp://10.0.0.1:8080"),
        ("DOORWARD_ADMIN_PORT_8081_TCP_ADDR", "10.0.0.1"),
    ];
    config(&[], &links, &[]);
    assert!(mistakes(&[], &[("DOORWARD_PORT", "8080")], &[]).starts_with("DOORWARD_PORT (environment)"));
}

#[test]
fn variables_of_the_client_are_ignored() {
    let client = CLIENT_VARIABLES.map(|name| (name, "x"));
    config(&[], &client, &[]);
    let told = mistakes(&[], &[("DOORWARD_ADMIN_URI", "x")], &[]);
    assert!(told.contains("(did you mean DOORWARD_ADMIN_URL?)"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = OsString::from_vec(vec![0xff]);
    let env = [("OTHER".into(), value.clone()), ("DOORWARD_LEASE".into(), value)];
    let error = read_with([OsString::from("doorward")], env, &|_| Ok(String::new())).unwrap_err();
    assert_eq!(error.to_string(), "DOORWARD_LEASE (environment): the value is not UTF-8");
}
