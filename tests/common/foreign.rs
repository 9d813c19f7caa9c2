//! Imported tokens of other systems, and the strings that their holders present.

use serde_json::{Value, json};

use super::server::{Server, text};

/// Returns a string as Django REST framework makes them.
pub fn drf_string(number: u64) -> String {
    hex(number, 20)
}

/// Returns so many bytes as hex digits, different ones for each number.
pub fn hex(number: u64, bytes: usize) -> String {
    let digest = blake3::hash(&number.to_le_bytes());
    digest.to_hex()[..2 * bytes].to_owned()
}

/// Imports the token with this string for a user, and returns its id.
pub fn import(server: &Server, scheme: &str, string: &str, user: &str) -> Value {
    import_all(server, scheme, [(string.to_owned(), user.to_owned())]).remove(0)
}

/// Imports the tokens with these strings for these users, and returns their ids.
pub fn import_all(
    server: &Server,
    scheme: &str,
    tokens: impl IntoIterator<Item = (String, String)>,
) -> Vec<Value> {
    let record = |(token, user): (String, String)| json!({"scheme": scheme, "token": token, "user": user});
    let records: Vec<_> = tokens.into_iter().map(record).collect();
    let mut ids = Vec::new();
    for some in records.chunks(500) {
        let response = server.call("POST", "/v1/import", Some(&json!({ "tokens": some })));
        assert_eq!(response.status, 200, "{}", response.text());
        for result in response.json()["results"].as_array().unwrap() {
            assert_eq!(text(&result["status"]), "imported", "{result}");
            ids.push(result["id"].clone());
        }
    }
    ids
}

/// Returns the value of a metric, with its labels.
pub fn metric(server: &Server, name: &str) -> u64 {
    let metrics = server.call("GET", "/metrics", None).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

/// Returns how many look-ups of foreign strings had this result.
pub fn look_ups(server: &Server, result: &str) -> u64 {
    metric(server, &format!("doorward_foreign_lookups_total{{result=\"{result}\"}}"))
}
