//! The axum example, run: what an application gets from `RequestCheck`.

#[allow(dead_code)] // the example's `main`
#[path = "../examples/axum_in_process.rs"]
mod axum_in_process;

use std::thread::{self, JoinHandle};

use doorward::{Config, load_node};
use tokio::sync::oneshot;

use crate::common::http::{Client, Response};

/// The site of the example on a port of its own. Stops when it is dropped.
struct Site {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Site {
    fn start(config: Config) -> Self {
        let (started, has_started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send(listener.local_addr().unwrap().to_string()).unwrap();
                let stop = async { drop(stopped.await) };
                let config = axum_in_process::settings(config);
                axum_in_process::serve(listener, &config, stop).await.unwrap();
            });
        });
        let address = has_started.recv().unwrap();
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn client(&self) -> Client {
        Client::new(&self.address)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

/// Logs in, and returns the cookie as the browser sends it.
fn log_in(client: &mut Client, user: &str) -> String {
    let head = format!("POST /login HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", user.len());
    let response = client.send(format!("{head}{user}"));
    assert_eq!(response.status, 204, "{}", response.text());
    let cookie = response.header("set-cookie").unwrap();
    assert!(cookie.contains("; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

fn shown(response: &Response) -> (u16, String) {
    (response.status, response.text())
}

#[test]
fn the_site_serves_by_token_from_login_to_logout() {
    let site = Site::start(Config::default());
    let mut client = site.client();
    let refused = client.get("/account", &[]);
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer realm=\"doorward\""))
    );
    assert_eq!(shown(&client.get("/", &[])), (200, "Hello, stranger".into()));

    let cookie = log_in(&mut client, "alice");
    let with_cookie = [("cookie", &*cookie)];
    assert_eq!(shown(&client.get("/", &with_cookie)), (200, "Hello, alice".into()));
    let account = (200, "The account of alice, shown to alice".into());
    assert_eq!(shown(&client.get("/account", &with_cookie)), account);
    assert_eq!(shown(&client.get("/settings", &with_cookie)), (200, "The settings of alice".into()));
    let bearer = format!("Bearer {}", cookie.split_once('=').unwrap().1);
    assert_eq!(shown(&client.get("/account", &[("authorization", &bearer)])), account);
    assert_eq!(shown(&client.get("/", &[("authorization", "Bearer dw_forged")])).1, "Hello, stranger");

    let foreign = [("cookie", &*cookie), ("sec-fetch-site", "cross-site")];
    let forged = client.request("POST", "/logout", &foreign, None);
    assert_eq!((forged.status, forged.header("x-auth-reason")), (403, Some("cross-site")));
    let ended = client.request("POST", "/logout", &with_cookie, None);
    assert!(ended.status == 204 && ended.header("set-cookie").unwrap().contains("Max-Age=0"), "{ended:?}");
    let refused = client.get("/account", &with_cookie);
    let challenge = "Bearer realm=\"doorward\", error=\"invalid_token\"";
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(challenge)));
}

/// Nothing listens on port 1.
#[test]
fn the_site_answers_503_while_the_store_is_away() {
    let env = [("DOORWARD_REDIS_URL", "redis://127.0.0.1:1"), ("DOORWARD_REDIS_TIMEOUT", "100ms")];
    let site = Site::start(load_node(env.map(|(name, value)| (name.into(), value.into()))).unwrap());
    let mut client = site.client();
    let away = client.get("/account", &[("authorization", "Bearer dw_unknown")]);
    assert_eq!((away.status, away.header("retry-after")), (503, Some("1")));
    assert_eq!(client.get("/account", &[]).status, 401, "no token needs no store");
}
