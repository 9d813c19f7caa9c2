//! The message on standard output when the server accepts connections.

use crate::server::Server;
use crate::values::LogFormat;

const EMBEDDED_STORE: &str =
    "EMBEDDED STORE: every token is lost when this process ends. Set redis-url to keep them.";

/// Returns the ready message for standard output. On the embedded store it includes the generated key and a first session.
pub(crate) fn ready_message(server: &Server, format: LogFormat) -> String {
    match format {
        LogFormat::Json => json(server),
        LogFormat::Text => text(server),
    }
}

fn json(server: &Server) -> String {
    let mut message = serde_json::json!({
        "message": "ready", "listen": server.listen, "admin-listen": server.admin_listen, "store": server.store_name,
    });
    let optional = [
        ("grpc-listen", server.grpc_listen.as_deref()),
        ("metrics-listen", server.metrics_listen.as_deref()),
        ("warning", is_embedded(server).then_some(EMBEDDED_STORE)),
        ("admin-key", server.generated_admin_key.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            message[name] = value.into();
        }
    }
    message.to_string()
}

fn text(server: &Server) -> String {
    let mut message = format!("ready listen={} admin-listen={}", server.listen, server.admin_listen);
    for (name, address) in [("grpc-listen", &server.grpc_listen), ("metrics-listen", &server.metrics_listen)]
    {
        if let Some(address) = address {
            message += &format!(" {name}={address}");
        }
    }
    message += &format!(" store={}\n", server.store_name);
    if is_embedded(server) {
        message += &format!("\n{EMBEDDED_STORE}\n");
    }
    if let Some(key) = &server.generated_admin_key {
        message += &format!("\nadmin key for this run: {key}\n\n{}", first_session(server, key));
    }
    message
}

fn is_embedded(server: &Server) -> bool {
    server.store_name == "memory"
}

/// Returns the `curl` commands of a first session.
fn first_session(server: &Server, key: &str) -> String {
    let url = |address: &str, is_tls: bool| {
        let scheme = if is_tls { "https" } else { "http" };
        match address.strip_prefix("unix:") {
            Some(path) => format!("--unix-socket {path} {scheme}://localhost"),
            None => format!("{scheme}://{address}"),
        }
    };
    let (validation, admin) =
        (url(&server.listen, server.is_tls), url(&server.admin_listen, server.is_admin_tls));
    format!(
        "A first session:\n\
         \x20 KEY='{key}'\n\
         \x20 # issue a token\n\
         \x20 curl -s {admin}/v1/tokens -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n\
         \x20      -d '{{\"user\": \"alice\", \"ip\": \"203.0.113.7\"}}'\n\
         \x20 # may this request pass? (put the answer's \"token\" for TOKEN)\n\
         \x20 curl -i {validation}/auth -H 'Authorization: Bearer TOKEN'\n\
         \x20 # log out, everywhere\n\
         \x20 curl -s -X DELETE {admin}/v1/users/alice/tokens -H \"Authorization: Bearer $KEY\"\n"
    )
}
