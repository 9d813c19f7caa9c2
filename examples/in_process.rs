//! Validation in process: a node on the embedded store, or on the Redis of DOORWARD_REDIS_URL, which it may share with
//! servers and other nodes.
//!
//! ```text
//! cargo run --example in_process
//! DOORWARD_REDIS_URL=redis://127.0.0.1 cargo run --example in_process
//! ```

use std::error::Error;
use std::net::Ipv4Addr;

use doorward::{Access, Actor, Config, NewToken, Node, Transport, load_node};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    session(&load_node(std::env::vars_os())?).await
}

/// Runs a login, two requests and a logout.
pub async fn session(config: &Config) -> Result<(), Box<dyn Error>> {
    let node = Node::start(config).await?;
    // One validator per runtime.
    let validator = node.validator().await;

    // Alice logs in.
    let login = NewToken::new("alice", Ipv4Addr::LOCALHOST.into());
    let issued = node.service().issue(login, Actor::Doorward).await?;

    // A request carries the token in the cookie. `identity.user()` is the effective user: during a takeover, the user who
    // is taken over. `identity.actor()` is the user who logged in.
    let token_string = issued.token_string.as_bytes();
    let Some(identity) = validator.validate(token_string, Transport::Cookie, Access::Recorded).await? else {
        return Err("the token that was just issued is not valid".into());
    };
    println!("{} may pass; {} logged in", identity.user(), identity.actor());

    // Alice takes over bob for a minute.
    let id = issued.token.record.id;
    node.service().start_takeover(id, "bob".into(), None, Some(60_000), Actor::Doorward).await?;
    let Some(identity) = validator.validate(token_string, Transport::Cookie, Access::Recorded).await? else {
        return Err("the token is not valid during the takeover".into());
    };
    println!("{} may pass; {} logged in", identity.user(), identity.actor());
    if (identity.user(), identity.actor()) != ("bob", "alice") {
        return Err("the identity does not show the takeover".into());
    }

    // Alice logs out everywhere. The next request is refused.
    let revoked = node.service().revoke_user_tokens("alice", None, Actor::Doorward).await?;
    println!("{revoked} revoked");
    if validator.validate(token_string, Transport::Cookie, Access::Recorded).await?.is_some() {
        return Err("the token is still valid after the logout".into());
    }

    drop(validator);
    node.stop().await;
    Ok(())
}
