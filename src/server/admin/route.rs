//! One call of the admin plane, as the table of routes has it.

use futures_util::future::BoxFuture;
use hyper::{Method, Response};

use super::call::{AdminCall, Answer};
use super::oauth::call::{OAuthAnswer, OAuthCall};
use super::path_params::PathParams;
use super::plane::AdminPlane;
use crate::logging::audit::{Action, AuditEntry};
use crate::server::transport::body::Body;
use crate::values::Scope;

/// A call of the admin plane.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path. `{name}` stands for one segment; [`PathParams`] lists the names.
    pub pattern: &'static str,
    /// The handler.
    pub handler: Handler,
    /// Whether HEAD is answered as GET without the body.
    has_head: bool,
}

/// A call by GET and HEAD.
pub const fn get(pattern: &'static str, handler: Handler) -> Route {
    Route { method: Method::GET, pattern, handler, has_head: true }
}

/// A call by GET alone: the body never ends, and neither would the answer to HEAD.
pub const fn get_stream(pattern: &'static str, handler: Handler) -> Route {
    Route { method: Method::GET, pattern, handler, has_head: false }
}

/// A call by POST.
pub const fn post(pattern: &'static str, handler: Handler) -> Route {
    Route { method: Method::POST, pattern, handler, has_head: false }
}

/// A call by PUT.
pub const fn put(pattern: &'static str, handler: Handler) -> Route {
    Route { method: Method::PUT, pattern, handler, has_head: false }
}

/// A call by PATCH.
pub const fn patch(pattern: &'static str, handler: Handler) -> Route {
    Route { method: Method::PATCH, pattern, handler, has_head: false }
}

/// A call by DELETE.
pub const fn delete(pattern: &'static str, handler: Handler) -> Route {
    Route { method: Method::DELETE, pattern, handler, has_head: false }
}

impl Route {
    /// Matches a path as it came, segment by segment, and returns the values in it.
    pub fn params(&self, path: &str) -> Option<PathParams> {
        let mut params = PathParams::default();
        let mut segments = path.split('/');
        for expected in self.pattern.split('/') {
            let segment = segments.next()?;
            match placeholder(expected) {
                Some(name) if params.set(name, segment) => {}
                None if expected == segment => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(params)
    }

    /// The methods that it takes.
    pub fn methods(&self) -> impl Iterator<Item = Method> {
        [self.method.clone()].into_iter().chain(self.has_head.then_some(Method::HEAD))
    }
}

/// The name in `{name}`.
pub fn placeholder(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Answers a call, by the credentials that the call needs.
pub enum Handler {
    /// No credentials. The query is ignored.
    Public(fn(&AdminPlane) -> Response<Body>),
    /// `Authorization: Bearer` with an API key that has all of these scopes. Changes nothing.
    Read(&'static [Scope], for<'a> fn(AdminCall<'a>) -> BoxFuture<'a, Answer>),
    /// Takes the credentials of `Read`. Makes this change, and completes the audit entry.
    Change(Action, &'static [Scope], for<'a> fn(AdminCall<'a>, &'a mut AuditEntry) -> BoxFuture<'a, Answer>),
    /// An API key with one of these scopes, in any of the ways in which an OAuth client authenticates. Changes nothing.
    OAuthRead(&'static [Scope], for<'a> fn(OAuthCall<'a>) -> BoxFuture<'a, OAuthAnswer>),
    /// Takes the credentials of `OAuthRead`. Makes this change, and completes the audit entry.
    OAuthChange(
        Action,
        &'static [Scope],
        for<'a> fn(OAuthCall<'a>, &'a mut AuditEntry) -> BoxFuture<'a, OAuthAnswer>,
    ),
}

impl Handler {
    /// Returns the action as the audit log names it; `None` for a call without credentials.
    pub const fn action(&self) -> Option<Action> {
        match self {
            Self::Public(_) => None,
            Self::Read(..) | Self::OAuthRead(..) => Some(Action::Read),
            Self::Change(action, ..) | Self::OAuthChange(action, ..) => Some(*action),
        }
    }

    /// Returns the scopes that the call demands.
    pub const fn scopes(&self) -> &'static [Scope] {
        match self {
            Self::Public(_) => &[],
            Self::Read(scopes, _) | Self::OAuthRead(scopes, _) => scopes,
            Self::Change(_, scopes, _) | Self::OAuthChange(_, scopes, _) => scopes,
        }
    }
}
