//! The layer without a server: Doorward validates in this process, on the Redis of DOORWARD_REDIS_URL, which it may share
//! with servers, or on the embedded store.
//!
//! ```text
//! DOORWARD_REDIS_URL=redis://127.0.0.1 cargo run -p doorward-client --example in_process
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use doorward::{Access, Node, Transport, load_node};
use doorward_client::{
    Anonymous, AuthLayer, Checker, ClientRequest, Identity, Refusal, Unavailable, Verdict, Via,
};

/// Asks a node of this process. Make one for each runtime.
#[derive(Clone)]
pub struct InProcess(pub Arc<doorward::Validator>);

impl Checker for InProcess {
    async fn check(&self, request: &ClientRequest<'_>, anonymous: Anonymous) -> Result<Verdict, Unavailable> {
        let Some((token, via)) = request.token("doorward") else {
            return Ok(refused(anonymous, Refusal::no_token()));
        };
        let transport = match via {
            Via::Header => Transport::Header,
            Via::Cookie => Transport::Cookie,
        };
        let found = self.0.validate(token.as_bytes(), transport, Access::Recorded).await;
        let found = found.map_err(|error| Unavailable::new(error.to_string()))?;
        Ok(match found {
            Some(found) => Verdict::Allowed(Some(self.identity(&found, via))),
            None => refused(anonymous, Refusal::invalid_token()),
        })
    }
}

impl InProcess {
    fn identity(&self, found: &doorward::Identity, via: Via) -> Identity {
        let mut identity = Identity::new(found.user(), found.token_id().to_string());
        identity.actor = found.actor().to_owned();
        identity.slug = found.auth_slug().map(str::to_owned);
        identity.backend = found.backend().map(str::to_owned);
        identity.device = found.device().map(str::to_owned);
        identity.scopes = found.scopes().map(str::to_owned).collect();
        let left_ms = found.ends_at_ms().saturating_sub(self.0.service().clock().now_ms());
        identity.expires_in = Duration::from_secs(left_ms / 1000);
        identity.via = Some(via);
        identity
    }
}

fn refused(anonymous: Anonymous, refusal: Refusal) -> Verdict {
    match anonymous {
        Anonymous::Allowed => Verdict::Allowed(None),
        Anonymous::Refused => Verdict::Refused(refusal),
    }
}

/// Builds the application.
pub fn app(checker: InProcess) -> Router {
    let hello = |identity: Identity| async move { format!("Hello {}", identity.user) };
    Router::new().route("/", get(hello)).layer(AuthLayer::new(checker))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::start(&load_node(std::env::vars_os())?).await?;
    let validator = Arc::new(node.validator().await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(InProcess(validator))).await?;
    node.stop().await;
    Ok(())
}
