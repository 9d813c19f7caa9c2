//! Imported tokens, presented by the strings of the former system.

use serde_json::{Value, json};

use super::support::{Secrets, express, percent};
use crate::admin_plane::oauth_calls::{assert_inactive, introspect, revoke};
use crate::common::foreign::{drf_string, import, metric};
use crate::common::process::wait_for;
use crate::common::server::{
    Server, assert_invalid_token, assert_no_token, bearer, identity, text, token_path,
};
use crate::on_each_store;

const SECRET: &str = "keyboard cat";
const SESSION: &str = "0GbTPYAY8hpEK6qXq8TQQ7qSDmmyLdWj";

/// Forms of an unkeyed and of a keyed scheme.
fn settings(secrets: &Secrets) -> String {
    format!(
        "api:scheme=drf+header-scheme=Token,shop:scheme=express-session+cookie=connect.sid+secret-file={}",
        secrets.path()
    )
}

/// A foreign string, and the header line that carries it.
struct Carried {
    scheme: &'static str,
    /// The fields of the import.
    exported: String,
    /// The string as the client holds it.
    string: String,
    header: (&'static str, String),
    via: &'static str,
}

fn drf(number: u64) -> Carried {
    let string = drf_string(number);
    let header = ("Authorization", format!("Token {string}"));
    Carried { scheme: "drf", exported: string.clone(), string, header, via: "header" }
}

fn session() -> Carried {
    let string = express(SECRET, SESSION);
    let header = ("Cookie", format!("connect.sid={}", percent(&string)));
    Carried { scheme: "express-session", exported: SESSION.into(), string, header, via: "cookie" }
}

fn with_forms(test: impl Fn(&Server)) {
    let secrets = Secrets::new(&format!("new\n{SECRET}\n"));
    let checks = ("DOORWARD_CHECKS", "any");
    on_each_store(&[("DOORWARD_FOREIGN", &settings(&secrets)), checks], test);
}

fn get(server: &Server, path: &str, carried: &Carried) -> crate::common::http::Response {
    let (name, value) = &carried.header;
    server.validation().get(path, &[(name, value)])
}

fn validate(server: &Server, strings: &[&str]) -> Vec<Value> {
    let response = server.call("POST", "/v1/validate", Some(&json!({ "tokens": strings })));
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["results"].as_array().unwrap().clone()
}

#[test]
fn an_imported_token_is_valid_at_every_entry_point() {
    with_forms(|server| {
        for carried in [drf(1), session()] {
            let id = import(server, carried.scheme, &carried.exported, "alice");
            // Twice: first looked up, then known.
            for _ in 0..2 {
                for path in ["/auth", "/auth-optional", "/check/any"] {
                    let answer = get(server, path, &carried);
                    assert_eq!(identity(&answer)[..3], ["alice", "alice", text(&id)], "{path}");
                    assert_eq!(answer.header("x-auth-via"), Some(carried.via));
                }
                let shown = get(server, "/session", &carried);
                assert_eq!((shown.status, &shown.json()["origin"]), (200, &json!(carried.scheme)));
                let native = server.issue(json!({"user": "bob"}));
                let results = validate(server, &[&carried.string, text(&native["token"]), "x"]);
                assert_eq!(results[0]["id"], id);
                assert_eq!((&results[1]["user"], &results[2]), (&json!("bob"), &json!({"is_active": false})));
                assert_eq!(introspect(server, &json!(percent_free(&carried.string)))["jti"], id);
            }
            let (name, value) = &carried.header;
            let logout = server.validation().request("POST", "/logout", &[(name, value)], None);
            assert_eq!((logout.status, logout.json()), (200, json!({"ended": "token"})));
            assert_invalid_token(&get(server, "/auth", &carried));
            assert_inactive(server, &json!(percent_free(&carried.string)));
        }
    });
}

/// As a form has it: `+` would be a space.
fn percent_free(string: &str) -> String {
    string.replace('+', "%2B")
}

#[test]
fn a_foreign_string_is_revoked_by_oauth() {
    with_forms(|server| {
        for carried in [drf(2), session()] {
            import(server, carried.scheme, &carried.exported, "alice");
            revoke(server, &json!(percent_free(&carried.string)));
            assert_invalid_token(&get(server, "/auth", &carried));
        }
        revoke(server, &json!(drf_string(3)));
        revoke(server, &json!("malformed"));
    });
}

#[test]
fn a_string_is_looked_at_only_where_its_form_may_stand() {
    with_forms(|server| {
        let (drf, session) = (drf(4), session());
        import(server, drf.scheme, &drf.exported, "alice");
        import(server, session.scheme, &session.exported, "alice");
        let auth = |name: &str, value: &str| server.validation().get("/auth", &[(name, value)]);
        assert_invalid_token(&auth("Authorization", &bearer(&json!(drf.string))));
        assert_invalid_token(&auth("Authorization", &format!("Token {}", session.string)));
        assert_invalid_token(&auth("Cookie", &format!("connect.sid={}", drf.string)));
        assert_invalid_token(&auth("Cookie", &format!("doorward={}", drf.string)));
        assert_no_token(&auth("Cookie", &format!("other={}", session.string)));
        // A native string may stand in each place.
        let native = server.issue(json!({"user": "bob"}));
        let native = text(&native["token"]);
        assert_eq!(identity(&auth("Authorization", &format!("Token {native}")))[0], "bob");
        assert_eq!(identity(&auth("Cookie", &format!("connect.sid={native}")))[0], "bob");
    });
}

#[test]
fn a_malformed_or_wrongly_signed_string_counts_as_forged_and_an_unknown_one_as_refused() {
    with_forms(|server| {
        let id = "1".repeat(32);
        let wrong = format!("connect.sid={}", express("another secret", &id));
        for (name, value) in [("Authorization", "Token x"), ("Cookie", &wrong)] {
            assert_invalid_token(&server.validation().get("/auth", &[(name, value)]));
        }
        let forged = || metric(server, "doorward_validations_total{result=\"forged\",source=\"cache\"}");
        wait_for("both are counted", || (forged() == 2).then_some(()));
        let look_ups =
            ["found", "unknown", "refused"].map(|result| crate::common::foreign::look_ups(server, result));
        assert_eq!(look_ups, [0; 3], "no store was asked");
        assert_invalid_token(&get(server, "/auth", &drf(5)));
        assert_invalid_token(&get(server, "/auth", &drf(5)));
        let refused = |source| {
            metric(server, &format!("doorward_validations_total{{result=\"refused\",source=\"{source}\"}}"))
        };
        wait_for("both are counted", || (refused("cache") + refused("store") == 2).then_some(()));
    });
}

#[test]
fn a_rotation_replaces_the_foreign_string_and_its_reuse_revokes_nothing() {
    let settings = [("DOORWARD_FOREIGN", "old:scheme=drf"), ("DOORWARD_ROTATION_GRACE", "1s")];
    on_each_store(&settings, |server| {
        let string = drf_string(6);
        let id = import(server, "drf", &string, "alice");
        let auth =
            |string: &str| server.validation().get("/auth", &[("Authorization", &bearer(&json!(string)))]);
        identity(&auth(&string));
        let rotated = server.call("POST", &format!("{}/rotate", token_path(&id)), None).json();
        assert_eq!(rotated["id"], id);
        wait_for("the grace is over", || match auth(&string).status {
            200 => None,
            status => {
                assert_eq!(status, 401);
                Some(())
            }
        });
        for _ in 0..3 {
            assert_invalid_token(&auth(&string));
            assert_inactive(server, &json!(string));
            revoke(server, &json!(string));
        }
        assert_eq!(identity(&auth(text(&rotated["token"])))[2], text(&id));
        assert_eq!(server.token(&id)["is_active"], true);
    });
}

#[test]
fn a_form_is_not_looked_at_from_its_end_on() {
    let settings =
        [("DOORWARD_FOREIGN", "past:scheme=drf+until=2020-01-01,now:scheme=knox+until=2200-01-01")];
    on_each_store(&settings, |server| {
        let (past, now) = (drf_string(7), crate::common::foreign::hex(7, 32));
        import(server, "drf", &past, "alice");
        import(server, "knox", &now, "alice");
        let auth =
            |string: &str| server.validation().get("/auth", &[("Authorization", &bearer(&json!(string)))]);
        assert_invalid_token(&auth(&past));
        assert_inactive(server, &json!(past));
        identity(&auth(&now));
    });
}

#[test]
fn a_second_pass_of_an_import_finds_strings_that_were_unknown() {
    on_each_store(&[("DOORWARD_FOREIGN", "old:scheme=drf")], |server| {
        let string = drf_string(8);
        let auth = || server.validation().get("/auth", &[("Authorization", &bearer(&json!(string)))]);
        assert_invalid_token(&auth());
        import(server, "drf", &string, "alice");
        // This node has imported it, so it need not wait for a lease.
        identity(&auth());
    });
}
