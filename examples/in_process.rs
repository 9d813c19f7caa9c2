//! Validation in a frontend's own process: a node on the embedded store, or on the Redis of DOORWARD_REDIS_URL,
//! which it may share with servers and other nodes.
//!
//! ```text
//! cargo run --example in_process
//! DOORWARD_REDIS_URL=redis://127.0.0.1 cargo run --example in_process
//! ```

use std::error::Error;
use std::net::Ipv4Addr;

use doorward::internals::config;
use doorward::internals::model::event::Actor;
use doorward::{Access, Clock, Config, Entropy, NewToken, Node, Transport};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    session(&config::load_node(std::env::vars_os().filter(is_ours))?).await
}

fn is_ours((name, _): &(std::ffi::OsString, std::ffi::OsString)) -> bool {
    name.to_string_lossy().starts_with("DOORWARD_")
}

/// A login, two requests and a logout.
pub async fn session(config: &Config) -> Result<(), Box<dyn Error>> {
    let node = Node::start(config, Clock::system(), Entropy::system()).await?;
    // One per runtime.
    let validator = node.validator().await;

    // Somebody has logged in.
    let login = NewToken::new("alice", Ipv4Addr::LOCALHOST.into());
    let issued = node.service().issue(login, Actor::Doorward).await?;

    // A request carries the token in the cookie. `identity.user()` is as whom it acts: the user taken over while somebody
    // from support looks at what that user sees; `identity.actor()` is who logged in.
    let token_string = issued.token_string.as_bytes();
    let Some(identity) = validator.validate(token_string, Transport::Cookie, Access::Recorded).await? else {
        return Err("a token that was just issued is valid".into());
    };
    println!("{} may pass, acted on by {}", identity.user(), identity.actor());

    // Alice takes bob over for a minute.
    let id = issued.token.record.id;
    node.service().start_takeover(id, "bob".into(), None, Some(60_000), Actor::Doorward).await?;
    let Some(identity) = validator.validate(token_string, Transport::Cookie, Access::Recorded).await? else {
        return Err("a token that acts as another user is valid".into());
    };
    println!("{} may pass, acted on by {}", identity.user(), identity.actor());
    if (identity.user(), identity.actor()) != ("bob", "alice") {
        return Err("a takeover shows both users".into());
    }

    // She logs out, everywhere; the next request is refused.
    let ended = node.service().revoke_user_tokens("alice", None, Actor::Doorward).await?;
    println!("{ended} ended");
    if validator.validate(token_string, Transport::Cookie, Access::Recorded).await?.is_some() {
        return Err("a token that was ended is refused".into());
    }

    drop(validator);
    node.stop().await;
    Ok(())
}
