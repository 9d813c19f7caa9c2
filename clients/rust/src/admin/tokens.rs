//! Tokens and what they are related to.

use std::net::IpAddr;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Admin;
use crate::error::{CallError, Unavailable};
use crate::fields::{Paging, TokenChanges, TokenFields};
use crate::models::{Page, RelatedObject, Token};
use crate::path::{path, segment};
use crate::request::is_sendable;
use crate::transport::Repeat;

/// The tokens of one call of `POST /v1/validate`.
pub(crate) const MAX_BATCH: usize = 1000;

#[derive(Serialize)]
struct NewToken<'a> {
    user: &'a str,
    ip: IpAddr,
    #[serde(flatten)]
    fields: &'a TokenFields,
}

#[derive(Deserialize)]
pub(super) struct Revoked {
    pub revoked: u64,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<Value>,
}

impl Admin {
    /// Issues a token. Its secret, [`Token::token`], is shown only now.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn issue(&self, user: &str, ip: IpAddr, fields: &TokenFields) -> Result<Token, CallError> {
        let made = self.make_secret("/v1/tokens", &NewToken { user, ip, fields }).await;
        self.with_secret(made, fields.set_cookie).await
    }

    /// Returns a token, which may be revoked.
    ///
    /// # Errors
    /// In an outage, or if the token is expired or unknown.
    pub async fn show(&self, token_id: &str) -> Result<Token, CallError> {
        self.ask(Method::GET, &path(&["tokens", token_id]), Repeat::Safe).await
    }

    /// Changes a token.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn change(&self, token_id: &str, changes: &TokenChanges) -> Result<Token, CallError> {
        self.send(Method::PATCH, &path(&["tokens", token_id]), changes, Repeat::Safe).await
    }

    /// Lists a user's tokens, without those that are revoked.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn tokens(&self, user: &str, paging: &Paging) -> Result<Page<Token>, CallError> {
        self.page(&path(&["users", user, "tokens"]), "", "tokens", paging).await
    }

    /// Lists a user's tokens and those that were revoked a short time ago.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn tokens_with_revoked(&self, user: &str, paging: &Paging) -> Result<Page<Token>, CallError> {
        self.page(&path(&["users", user, "tokens"]), "include=revoked", "tokens", paging).await
    }

    /// Revokes a token, or does nothing if it is revoked. Repeating it is safe.
    ///
    /// # Errors
    /// In an outage, or if the token is expired or unknown.
    pub async fn revoke(&self, token_id: &str) -> Result<(), CallError> {
        self.tell(Method::DELETE, &path(&["tokens", token_id]), Repeat::Safe).await
    }

    /// Revokes all of a user's tokens but one; returns how many. Repeating it is safe.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn revoke_all(&self, user: &str, except_id: Option<&str>) -> Result<u64, CallError> {
        let except = except_id.map(|id| format!("?except={}", segment(id))).unwrap_or_default();
        let target = path(&["users", user, "tokens"]) + &except;
        let answer: Revoked = self.ask(Method::DELETE, &target, Repeat::Safe).await?;
        Ok(answer.revoked)
    }

    /// Gives a token a new secret under the same id. The old one works for another `rotation-grace`. With `set_cookie`, the
    /// answer has a ready cookie.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn rotate(&self, token_id: &str, set_cookie: bool) -> Result<Token, CallError> {
        let made = self.rotate_unless_lost(token_id, set_cookie).await;
        self.with_secret(made, set_cookie).await
    }

    /// Returns what a call made. If its answer was lost, and the secret with it, gives the token another secret.
    async fn with_secret(
        &self,
        made: Result<Token, CallError>,
        set_cookie: bool,
    ) -> Result<Token, CallError> {
        let replay = made.as_ref().err().and_then(CallError::replay);
        match replay.and_then(|problem| problem.token_id.as_deref()) {
            Some(token_id) => self.rotate_unless_lost(token_id, set_cookie).await,
            None => made,
        }
    }

    async fn rotate_unless_lost(&self, token_id: &str, set_cookie: bool) -> Result<Token, CallError> {
        let body = json!({ "set_cookie": set_cookie });
        self.make_secret(&path(&["tokens", token_id, "rotate"]), &body).await
    }

    /// Confirms the second factor of a token.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn confirm(&self, token_id: &str) -> Result<Token, CallError> {
        self.ask(Method::POST, &path(&["tokens", token_id, "confirm"]), Repeat::Unsafe).await
    }

    /// Relates a token to an object. Repeating it is safe.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn relate(&self, token_id: &str, related: &RelatedObject) -> Result<(), CallError> {
        let body = serde_json::to_vec(related).map_err(|error| Unavailable::new(error.to_string()))?;
        let target = path(&["tokens", token_id, "related"]);
        self.answer(Method::POST, &target, Some(body), Repeat::Safe).await.map(drop)
    }

    /// Removes a relation. Repeating it is safe.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn unrelate(&self, token_id: &str, related: &RelatedObject) -> Result<(), CallError> {
        let target = path(&["tokens", token_id, "related", &related.content_type, &related.object_id]);
        self.tell(Method::DELETE, &target, Repeat::Safe).await
    }

    /// Lists the tokens of an object.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn related_tokens(
        &self,
        related: &RelatedObject,
        paging: &Paging,
    ) -> Result<Page<Token>, CallError> {
        self.page(&of_object(related), "", "tokens", paging).await
    }

    /// Revokes every token of an object; returns how many. Repeating it is safe.
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn revoke_related(&self, related: &RelatedObject) -> Result<u64, CallError> {
        let answer: Revoked = self.ask(Method::DELETE, &of_object(related), Repeat::Safe).await?;
        Ok(answer.revoked)
    }

    /// Judges up to 1,000 token strings in one call, in order; `None` for an invalid one. The caller must look at
    /// [`Token::allowed_header`] and [`Token::allowed_cookie`].
    ///
    /// # Errors
    /// In an outage, or if Doorward refuses the call.
    pub async fn validate(&self, token_strings: &[impl AsRef<str>]) -> Result<Vec<Option<Token>>, CallError> {
        // A string that cannot be a token must not spoil the batch.
        let texts = || token_strings.iter().map(AsRef::as_ref);
        let sent: Vec<_> = texts().filter(|text| is_sendable(text)).collect();
        let body = json!({ "tokens": sent });
        let answer: Results = self.send(Method::POST, "/v1/validate", &body, Repeat::Safe).await?;
        let wrong = || Unavailable::new("the answer is not doorward's: a result is missing or malformed");
        if answer.results.len() != sent.len() {
            return Err(wrong().into());
        }
        let mut results = answer.results.into_iter();
        texts()
            .map(|text| match is_sendable(text).then(|| results.next()).flatten() {
                Some(result) if result["is_active"] == true => {
                    serde_json::from_value(result).map(Some).map_err(|_| wrong().into())
                }
                _ => Ok(None),
            })
            .collect()
    }
}

fn of_object(related: &RelatedObject) -> String {
    path(&["related", &related.content_type, &related.object_id, "tokens"])
}
