//! The admin plane: every call against the real server.

use axum::http::StatusCode;
use doorward_client::{
    Admin, DeviceChanges, DeviceFields, Paging, RelatedObject, TakeoverFields, TokenChanges, TokenFields,
};

use crate::support::{IP, KEY, Server, secret};

#[tokio::test]
async fn a_token_is_issued_changed_rotated_and_revoked() {
    let server = Server::start(&[]);
    let (admin, validator) = (server.admin(), server.validator());
    let fields = TokenFields {
        user_agent: Some("a test".into()),
        expiration: Some(false),
        set_cookie: true,
        ..TokenFields::default()
    };
    let token = admin.issue("alice", IP, &fields).await.unwrap();
    assert_eq!((&*token.user, &*token.user_agent, &*token.ip), ("alice", "a test", "203.0.113.7"));
    assert!(!token.expiration && token.is_active && token.created_at <= token.expires_at);
    assert!(token.ends_at.unwrap() >= token.expires_at);
    assert!(token.expires_in().as_secs() > 3600);
    let cookie = token.set_cookie();
    assert!(cookie["set-cookie"].to_str().unwrap().starts_with(&format!("doorward={}", secret(&token))));

    let changes = TokenChanges {
        auth_slug: Some(Some("mobile".into())),
        scopes: Some(vec!["orders:read".into()]),
        ..TokenChanges::default()
    };
    let changed = admin.change(&token.id, &changes).await.unwrap();
    assert_eq!(
        (changed.auth_slug.as_deref(), &*changed.scopes),
        (Some("mobile"), &["orders:read".to_owned()][..])
    );
    let cleared = TokenChanges { auth_slug: Some(None), ..TokenChanges::default() };
    assert_eq!(admin.change(&token.id, &cleared).await.unwrap().auth_slug, None);

    let rotated = admin.rotate(&token.id, true).await.unwrap();
    assert_eq!(rotated.id, token.id);
    assert_ne!(secret(&rotated), secret(&token));
    assert_eq!(rotated.set_cookie().len(), 1);
    assert!(validator.check_token(secret(&rotated)).await.unwrap().is_allowed());

    admin.revoke(&token.id).await.unwrap();
    admin.revoke(&token.id).await.unwrap();
    assert!(!validator.check_token(secret(&rotated)).await.unwrap().is_allowed());
    let shown = admin.show(&token.id).await.unwrap();
    assert!(!shown.is_active && shown.revoked_at.is_some() && shown.token.is_none());
    assert!(shown.set_cookie().is_empty());
}

#[tokio::test]
async fn tokens_are_listed_in_pages_and_revoked_together() {
    let server = Server::start(&[]);
    let admin = server.admin();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(server.issue().await.id);
    }
    let mut paging = Paging { limit: Some(2), cursor: None };
    let mut listed = Vec::new();
    loop {
        let page = admin.tokens("alice", &paging).await.unwrap();
        listed.extend(page.items.into_iter().map(|token| token.id));
        paging.cursor = page.next_cursor;
        if paging.cursor.is_none() {
            break;
        }
    }
    listed.sort_unstable();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    assert_eq!(admin.revoke_all("alice", Some(&ids[0])).await.unwrap(), 4);
    let left = admin.tokens("alice", &Paging::default()).await.unwrap().items;
    assert_eq!(left.iter().map(|token| &token.id).collect::<Vec<_>>(), [&ids[0]]);
    assert_eq!(admin.tokens_with_revoked("alice", &Paging::default()).await.unwrap().items.len(), 5);
}

#[tokio::test]
async fn a_user_with_any_name_can_be_named() {
    let server = Server::start(&[]);
    let admin = server.admin();
    for user in ["a/b?c#d", "zoë", "100 %", "a+b&c=d"] {
        let token = admin.issue(user, IP, &TokenFields::default()).await.unwrap();
        let listed = admin.tokens(user, &Paging::default()).await.unwrap().items;
        assert_eq!((&listed[0].id, &*listed[0].user), (&token.id, user));
        let verdict = server.validator().check_token(secret(&token)).await.unwrap();
        assert_eq!(verdict.identity().unwrap().user, user);
    }
}

#[tokio::test]
async fn takeovers_have_a_history() {
    let server = Server::start(&[]);
    let (admin, token) = (server.admin(), server.issue().await);
    let fields = TakeoverFields { reason: Some("ticket 4711".into()), seconds: Some(60) };
    let takeover = admin.start_takeover(&token.id, "bob", &fields).await.unwrap();
    assert_eq!(
        (&*takeover.actor, &*takeover.user, takeover.reason.as_deref()),
        ("alice", "bob", Some("ticket 4711"))
    );
    assert!(takeover.ends_at.is_some());
    assert_eq!(admin.show(&token.id).await.unwrap().takeover.unwrap().id, takeover.id);
    admin.end_takeover(&token.id).await.unwrap();
    let error = admin.end_takeover(&token.id).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    let own = admin.token_takeovers(&token.id, &Paging::default()).await.unwrap().items;
    let of_bob = admin.user_takeovers("bob", &Paging::default()).await.unwrap().items;
    for [takeover] in [own, of_bob].map(|items| <[_; 1]>::try_from(items).unwrap()) {
        assert!(!takeover.is_active && takeover.ended_at.is_some());
    }
}

#[tokio::test]
async fn devices_log_in() {
    let server = Server::start(&[]);
    let admin = server.admin();
    let fields = DeviceFields { name: Some("phone".into()), user_agent: None };
    let device = admin.create_device("alice", "d1", &fields).await.unwrap();
    assert_eq!((device.created, device.name.as_deref()), (Some(true), Some("phone")));
    let login_token = device.login_token.unwrap();
    let token = admin.device_login("d1", login_token.expose(), IP, &TokenFields::default()).await.unwrap();
    assert_eq!((&*token.user, token.device.as_deref()), ("alice", Some("d1")));

    let rotated = admin.rotate_device("alice", "d1").await.unwrap().login_token.unwrap();
    let refused =
        admin.device_login("d1", login_token.expose(), IP, &TokenFields::default()).await.unwrap_err();
    assert_eq!(refused.problem().unwrap().kind, "login-refused");
    admin.device_login("d1", rotated.expose(), IP, &TokenFields::default()).await.unwrap();
    assert!(admin.device("alice", "d1").await.unwrap().last_login.is_some());
    assert_eq!(admin.devices("alice", &Paging::default()).await.unwrap().items.len(), 1);

    let changes = DeviceChanges { name: Some(None), is_active: Some(false) };
    let changed = admin.change_device("alice", "d1", &changes).await.unwrap();
    assert_eq!((changed.name, changed.is_active), (None, false));
    assert!(!server.validator().check_token(secret(&token)).await.unwrap().is_allowed());
    admin.remove_device("alice", "d1").await.unwrap();
    assert_eq!(admin.remove_device("alice", "d1").await.unwrap_err().status(), Some(StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn tokens_are_related_to_objects() {
    let server = Server::start(&[]);
    let (admin, token) = (server.admin(), server.issue().await);
    let (order, other) = (RelatedObject::new("shop.order", "17/a"), RelatedObject::new("shop.order", "18"));
    admin.relate(&token.id, &order).await.unwrap();
    admin.relate(&token.id, &other).await.unwrap();
    admin.unrelate(&token.id, &other).await.unwrap();
    assert_eq!(admin.show(&token.id).await.unwrap().related_objects, std::slice::from_ref(&order));
    let related = admin.related_tokens(&order, &Paging::default()).await.unwrap().items;
    assert_eq!(related[0].id, token.id);
    assert_eq!(admin.revoke_related(&order).await.unwrap(), 1);
    assert_eq!(admin.revoke_related(&order).await.unwrap(), 0);
}

#[tokio::test]
async fn users_are_locked_and_erased() {
    let server = Server::start(&[]);
    let (admin, validator, token) = (server.admin(), server.validator(), server.issue().await);
    admin.lock_user("alice").await.unwrap();
    assert!(!validator.check_token(secret(&token)).await.unwrap().is_allowed());
    let refused = admin.issue("alice", IP, &TokenFields::default()).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::CONFLICT));
    admin.unlock_user("alice").await.unwrap();
    assert!(validator.check_token(secret(&token)).await.unwrap().is_allowed());
    admin.erase_user("alice").await.unwrap();
    assert!(!validator.check_token(secret(&token)).await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_refusal_says_why() {
    let server = Server::start(&[]);
    let error = server.admin().issue("", IP, &TokenFields::default()).await.unwrap_err();
    let problem = error.problem().unwrap();
    assert_eq!((problem.status, &*problem.errors[0].pointer), (StatusCode::UNPROCESSABLE_ENTITY, "#/user"));
    assert!(error.to_string().contains("/user") && problem.request_id.is_some(), "{problem:?}");
    let stranger = Admin::new(&server.admin_url, "a-wrong-key").unwrap();
    assert_eq!(
        stranger.revoke_all("alice", None).await.unwrap_err().status(),
        Some(StatusCode::UNAUTHORIZED)
    );
    assert!(Admin::new(&server.admin_url, "two\nlines").is_err());
}

#[tokio::test]
async fn no_secret_is_shown_by_debug() {
    let server = Server::start(&[]);
    let token = server.issue_with(&TokenFields { set_cookie: true, ..TokenFields::default() }).await;
    let device = server.admin().create_device("alice", "d1", &DeviceFields::default()).await.unwrap();
    let shown =
        format!("{token:?} {device:?} {:?} {:?} {:?}", server.admin(), server.batcher(), token.set_cookie());
    for hidden in [secret(&token), device.login_token.unwrap().expose(), KEY] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}
