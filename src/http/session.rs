//! `/session` and `/logout`: what a token's holder does with it.

use hyper::header::{HOST, HeaderMap, ORIGIN, SET_COOKIE};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::auth::Refusal;
use super::presented::{Presented, presented};
use super::token_json::TokenJson;
use super::validation::{Settings, report};
use super::{Body, cookie, empty, json, unavailable};
use crate::service::ServiceError;
use crate::token::{Token, TokenChange, Transport};
use crate::validator::{Access, Validator};

/// `GET /session`: the holder's own token.
pub async fn session(validator: &Validator, settings: &Settings, headers: &HeaderMap) -> Response<Body> {
    match holder(validator, settings, headers, settings.access(headers)).await {
        Ok((token, _)) => json(StatusCode::OK, &TokenJson::of(&token)),
        Err(response) => response,
    }
}

/// `POST /logout`: ends the token that the request carries.
pub async fn logout(validator: &Validator, settings: &Settings, headers: &HeaderMap) -> Response<Body> {
    let (token, via) = match holder(validator, settings, headers, Access::Exempt).await {
        Ok(holder) => holder,
        Err(response) => return response,
    };
    if via == Transport::Cookie && !settings.is_same_site(headers) {
        return empty(StatusCode::FORBIDDEN);
    }
    match validator.service().change(token.credential.id, &TokenChange::ending()).await {
        Ok(_) => {
            let mut response = json(StatusCode::OK, &json!({"ended": "token"}));
            if via == Transport::Cookie {
                response.headers_mut().insert(SET_COOKIE, cookie::cleared(&settings.cookie));
            }
            response
        }
        Err(error) => refused(&error),
    }
}

/// The token of a request and what carried it, or the response that there is none.
async fn holder(
    validator: &Validator,
    settings: &Settings,
    headers: &HeaderMap,
    access: Access,
) -> Result<(Token, Transport), Response<Body>> {
    let (wire, via) = match presented(headers, &settings.cookie.name) {
        Presented::Token(wire, via) => (wire, via),
        Presented::Ambiguous => return Err(Refusal::InvalidToken.response()),
        Presented::Absent => return Err(Refusal::NoToken.response()),
    };
    let credential = match validator.validate(wire, via, access).await {
        Ok(Some(credential)) => credential,
        Ok(None) => return Err(Refusal::InvalidToken.response()),
        Err(error) => return Err(refused(&error.into())),
    };
    match validator.service().token(credential.id).await {
        Ok(token) => Ok((token, via)),
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &ServiceError) -> Response<Body> {
    match error {
        // It ended between two steps of this request.
        ServiceError::NotFound | ServiceError::Ended => Refusal::InvalidToken.response(),
        ServiceError::Store(error) => {
            report(error);
            unavailable()
        }
    }
}

impl Settings {
    /// Whether a request that a browser sent with its cookies comes from our own pages: another site may make
    /// a browser send it, but not hide where it comes from (Fetch standard, `Origin` and `Sec-Fetch-Site`).
    fn is_same_site(&self, headers: &HeaderMap) -> bool {
        if headers.get_all("sec-fetch-site").iter().any(|site| site == "cross-site") {
            return false;
        }
        headers.get_all(ORIGIN).iter().all(|origin| {
            let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
            let own = headers.get(HOST).and_then(|own| own.to_str().ok());
            let is_own = host.zip(own).is_some_and(|(host, own)| host.eq_ignore_ascii_case(own));
            is_own || self.allowed_origins.iter().any(|allowed| origin.as_bytes() == allowed.as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn same_site(lines: &[(&'static str, &str)]) -> bool {
        let settings = Settings {
            cookie: Config::default().cookie,
            renewal_exempt_header: None,
            allowed_origins: vec!["https://app.example".into()],
        };
        let headers = lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        settings.is_same_site(&headers)
    }

    #[test]
    fn only_our_own_pages_log_out_by_cookie() {
        let host = ("host", "auth.example:8080");
        assert!(same_site(&[host]));
        assert!(same_site(&[host, ("origin", "http://auth.example:8080")]));
        assert!(same_site(&[host, ("origin", "https://app.example")]));
        assert!(same_site(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!same_site(&[host, ("origin", "https://auth.example")]));
        assert!(!same_site(&[host, ("origin", "null")]));
        assert!(!same_site(&[("origin", "https://evil.example")]));
        assert!(!same_site(&[
            host,
            ("origin", "http://auth.example:8080"),
            ("sec-fetch-site", "cross-site")
        ]));
    }
}
