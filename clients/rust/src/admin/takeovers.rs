//! Takeovers.

use http::Method;
use serde::Serialize;

use super::call::Admin;
use crate::error::CallError;
use crate::fields::{Paging, TakeoverFields};
use crate::models::{Page, Takeover};
use crate::path::path;
use crate::transport::Repeat;

#[derive(Serialize)]
struct NewTakeover<'a> {
    user: &'a str,
    #[serde(flatten)]
    fields: &'a TakeoverFields,
}

impl Admin {
    /// Lets a token act as another user. An earlier takeover of the token is ended first.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn start_takeover(
        &self,
        token_id: &str,
        user: &str,
        fields: &TakeoverFields,
    ) -> Result<Takeover, CallError> {
        let body = NewTakeover { user, fields };
        self.send(Method::POST, &path(&["tokens", token_id, "takeover"]), &body, Repeat::Unsafe).await
    }

    /// Ends the takeover under way.
    ///
    /// # Errors
    /// In an outage, or if no takeover is under way.
    pub async fn end_takeover(&self, token_id: &str) -> Result<(), CallError> {
        // A repeat would be a 404.
        let target = path(&["tokens", token_id, "takeover"]);
        self.tell(Method::DELETE, &target, Repeat::Unsafe).await
    }

    /// Lists the takeovers by a token.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn token_takeovers(
        &self,
        token_id: &str,
        paging: &Paging,
    ) -> Result<Page<Takeover>, CallError> {
        self.page(&path(&["tokens", token_id, "takeovers"]), "", "takeovers", paging).await
    }

    /// Lists who took a user over, and when.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn user_takeovers(&self, user: &str, paging: &Paging) -> Result<Page<Takeover>, CallError> {
        self.page(&path(&["users", user, "takeovers"]), "", "takeovers", paging).await
    }
}
