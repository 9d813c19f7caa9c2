//! The documents: their code is the code that runs here.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::shop;
use crate::support::{self, Server, secret};

const README: &str = include_str!("../../README.md");

#[test]
fn the_readme_shows_the_example() {
    let example = include_str!("../../examples/shop.rs");
    let code = &example[example.find("use ").unwrap()..];
    assert!(README.contains(code), "README.md does not have the code of examples/shop.rs");
}

fn form(path: &str, cookie: &str, body: &'static str) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    request.header("host", "shop.example").header("cookie", cookie).body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn the_example_logs_in_and_out() {
    let mut server = Server::start(&[]);
    let app = shop::app(server.validator(), server.admin());
    let (response, _) = support::call(&app, form("/login", "", "user=alice&password=wrong")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let login = "user=alice&password=correct+horse+battery+staple";
    let (response, _) = support::call(&app, form("/login", "", login)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();

    let with_cookie = [("Cookie", &*cookie)];
    assert_eq!(support::get(&app, "/orders", &with_cookie).await.1, "The orders of alice");
    assert_eq!(support::get(&app, "/", &with_cookie).await.1, "Hello alice");
    assert_eq!(support::get(&app, "/", &[]).await.1, "Hello");
    assert_eq!(support::get(&app, "/orders", &[]).await.0.status(), StatusCode::UNAUTHORIZED);

    let (response, body) = support::call(&app, form("/logout", &cookie, "")).await;
    assert_eq!(body, "logged out");
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("doorward=;"));
    assert_eq!(support::get(&app, "/orders", &with_cookie).await.0.status(), StatusCode::UNAUTHORIZED);

    server.kill();
    for request in [form("/login", "", login), form("/logout", &cookie, "")] {
        let (response, _) = support::call(&app, request).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            response.headers().contains_key("retry-after") && !response.headers().contains_key("set-cookie")
        );
    }
}

#[tokio::test]
async fn the_example_is_served() {
    let server = Server::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let app = shop::app(server.validator(), server.admin());
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
    let serving = tokio::spawn(async move { serving.await });
    let token = server.issue().await;
    let request = format!(
        "GET /orders HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        secret(&token)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("The orders of alice"), "{answer}");
    serving.abort();
}
