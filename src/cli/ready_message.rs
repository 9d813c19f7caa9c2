//! The message on standard output when the server accepts connections.

use crate::server::App;
use crate::values::LogFormat;

const EMBEDDED_STORE: &str =
    "EMBEDDED STORE: every token is lost when this process ends. Set redis-url to keep them.";

/// Returns the ready message for standard output. On the embedded store it includes the generated key and a first session.
pub(crate) fn ready_message(app: &App, format: LogFormat) -> String {
    match format {
        LogFormat::Json => json(app),
        LogFormat::Text => text(app),
    }
}

fn json(app: &App) -> String {
    let mut message = serde_json::json!({
        "message": "ready", "listen": app.listen, "admin-listen": app.admin_listen, "store": app.store_name,
    });
    let optional = [
        ("grpc-listen", app.grpc_listen.as_deref()),
        ("warning", is_embedded(app).then_some(EMBEDDED_STORE)),
        ("admin-key", app.generated_admin_key.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            message[name] = value.into();
        }
    }
    message.to_string()
}

fn text(app: &App) -> String {
    let mut message = format!("ready listen={} admin-listen={}", app.listen, app.admin_listen);
    if let Some(grpc_listen) = &app.grpc_listen {
        message += &format!(" grpc-listen={grpc_listen}");
    }
    message += &format!(" store={}\n", app.store_name);
    if is_embedded(app) {
        message += &format!("\n{EMBEDDED_STORE}\n");
    }
    if let Some(key) = &app.generated_admin_key {
        message += &format!("\nadmin key for this run: {key}\n\n{}", first_session(app, key));
    }
    message
}

fn is_embedded(app: &App) -> bool {
    app.store_name == "memory"
}

/// Returns the `curl` commands of a first session.
fn first_session(app: &App, key: &str) -> String {
    let url = |address: &str, is_tls: bool| {
        let scheme = if is_tls { "https" } else { "http" };
        match address.strip_prefix("unix:") {
            Some(path) => format!("--unix-socket {path} {scheme}://localhost"),
            None => format!("{scheme}://{address}"),
        }
    };
    let (validation, admin) = (url(&app.listen, app.is_tls), url(&app.admin_listen, app.is_admin_tls));
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
