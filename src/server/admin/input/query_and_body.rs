//! The query and the body of a call. A handler asks for what its call takes; the rest is refused.

use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::HeaderMap;

use super::body::{BodyLimit, has_type, read_body, unsupported_type};
use super::fields::Fields;
use crate::server::admin::problem::Problem;

/// The query and the body of a request, not yet read.
pub struct Input {
    request: Request<Incoming>,
    timeout: Duration,
}

impl Input {
    /// `timeout` is the time within which the body must arrive.
    pub fn new(request: Request<Incoming>, timeout: Duration) -> Self {
        Self { request, timeout }
    }

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The method and the path of the request.
    pub fn target(&self) -> (&str, &str) {
        (self.request.method().as_str(), self.request.uri().path())
    }

    /// The parameters of the query. The body is ignored.
    pub fn query(&self) -> Fields {
        Fields::of_query(self.request.uri().query())
    }

    /// Refuses any query parameter.
    ///
    /// # Errors
    /// 422.
    pub fn no_query(&self) -> Result<(), Problem> {
        self.query().finish()
    }

    /// Reads a body that is a JSON object, and refuses any query parameter.
    ///
    /// # Errors
    /// 415, 413, 408, 400 and 422.
    pub async fn json(self) -> Result<Fields, Problem> {
        Fields::of_json(&self.json_bytes().await?)
    }

    /// Like [`json`](Self::json); no body stands for an object without fields.
    ///
    /// # Errors
    /// 415, 413, 408, 400 and 422.
    pub async fn optional_json(self) -> Result<Fields, Problem> {
        Fields::of_json(&self.optional_json_bytes().await?)
    }

    /// Like [`json_bytes`](Self::json_bytes); no body stands for an object without fields.
    ///
    /// # Errors
    /// 415, 413, 408 and 422.
    pub async fn optional_json_bytes(self) -> Result<Vec<u8>, Problem> {
        self.no_query()?;
        let is_json = self.is_json();
        match self.body(BodyLimit::AUTHENTICATED).await? {
            body if body.is_empty() => Ok(b"{}".to_vec()),
            body if is_json => Ok(body),
            _ => Err(not_json()),
        }
    }

    /// Reads a body whose `Content-Type` is JSON without parsing it, and refuses any query parameter.
    ///
    /// # Errors
    /// 415, 413, 408 and 422.
    pub async fn json_bytes(self) -> Result<Vec<u8>, Problem> {
        self.json_bytes_within(BodyLimit::AUTHENTICATED).await
    }

    /// Like [`json_bytes`](Self::json_bytes), with another limit.
    ///
    /// # Errors
    /// 415, 413, 408 and 422.
    pub async fn json_bytes_within(self, limit: BodyLimit) -> Result<Vec<u8>, Problem> {
        self.no_query()?;
        if !self.is_json() {
            return Err(not_json());
        }
        self.body(limit).await
    }

    fn is_json(&self) -> bool {
        has_type(self.headers(), &["application/json", "application/merge-patch+json"])
    }

    async fn body(self, limit: BodyLimit) -> Result<Vec<u8>, Problem> {
        read_body(self.request.into_body(), limit, self.timeout).await
    }
}

fn not_json() -> Problem {
    unsupported_type("the body must be JSON: Content-Type: application/json")
}
