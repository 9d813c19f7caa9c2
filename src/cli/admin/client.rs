//! Calls of the admin plane.

use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::failure::Failure;
use super::key::AdminKey;
use crate::http_client::{HttpClient, OpenResponse};

/// The unreserved characters (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns a text as one segment of a path, or as one value of a query.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Calls the admin plane with one API key.
pub struct AdminClient {
    http: HttpClient,
    key: AdminKey,
}

impl AdminClient {
    pub(super) fn new(http: HttpClient, key: AdminKey) -> Self {
        Self { http, key }
    }

    /// Makes a call and returns the JSON of its answer; null for an answer without a body.
    ///
    /// # Errors
    /// If there is no answer, or the answer is a refusal or not Doorward's.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let request = self.request(method, path, body)?;
        let response = self.http.send(request).await.map_err(|error| self.unreachable(&error))?;
        self.json(response)
    }

    /// Makes a call by GET.
    ///
    /// # Errors
    /// See [`AdminClient::call`].
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Makes a call by DELETE.
    ///
    /// # Errors
    /// See [`AdminClient::call`].
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    /// Opens the event feed, after the event with the id `last`.
    ///
    /// # Errors
    /// See [`AdminClient::call`].
    pub async fn open_events(&self, last: Option<&str>) -> Result<OpenResponse, Failure> {
        let mut request = self.request(Method::GET, "/v1/events", None)?;
        if let Some(last) = last.and_then(|last| last.parse().ok()) {
            request.headers_mut().insert("last-event-id", last);
        }
        let open = self.http.open(request).await.map_err(|error| self.unreachable(&error))?;
        if open.response.status().is_success() && is_of_type(&open.response, "text/event-stream") {
            return Ok(open);
        }
        // The request again, for the whole of the refusal.
        let answer = self.call(Method::GET, "/v1/events", None).await;
        Err(answer.err().unwrap_or_else(|| self.not_doorward(&open.response)))
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Bytes>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, self.key.header.clone())
            .header(ACCEPT, "application/json, application/problem+json, text/event-stream")
            .header(USER_AGENT, concat!("doorward/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        request.body(body).map_err(|error| Failure::local(format!("invalid request: {error}")))
    }

    fn json(&self, response: Response<Bytes>) -> Result<Value, Failure> {
        let status = response.status();
        if !status.is_success() {
            let problem = is_of_type(&response, "application/problem+json")
                .then(|| serde_json::from_slice(response.body()).ok())
                .flatten();
            return Err(match problem {
                Some(problem) => Failure::refused(status, problem, self.http.url(), &self.key.source),
                None => self.not_doorward(&response),
            });
        }
        if response.body().is_empty() {
            return Ok(Value::Null);
        }
        let json = is_of_type(&response, "application/json")
            .then(|| serde_json::from_slice(response.body()).ok())
            .flatten();
        json.ok_or_else(|| self.not_doorward(&response))
    }

    fn unreachable(&self, error: &crate::http_client::ClientError) -> Failure {
        Failure::unreachable(self.http.url(), error)
    }

    fn not_doorward<T>(&self, response: &Response<T>) -> Failure {
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Failure::not_doorward(self.http.url(), response.status(), content_type)
    }
}

fn is_of_type<T>(response: &Response<T>, expected: &str) -> bool {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split(';').next()).is_some_and(|value| value.trim() == expected)
}

/// The most entries of a page.
const PAGE: usize = 1000;

/// Reads a listing page by page. `name` is the field with the entries; `path` may have a query.
///
/// # Errors
/// See [`AdminClient::call`].
pub async fn all_pages(
    client: &AdminClient,
    path: &str,
    name: &str,
    limit: Option<usize>,
) -> Result<Vec<Value>, Failure> {
    let limit = limit.unwrap_or(usize::MAX);
    let start = if path.contains('?') { '&' } else { '?' };
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let count = PAGE.min(limit - entries.len());
        let page = client.get(&format!("{path}{start}limit={count}{cursor}")).await?;
        entries.extend(page[name].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_str() {
            Some(next) if entries.len() < limit => cursor = format!("&cursor={}", segment(next)),
            _ => return Ok(entries),
        }
    }
}
