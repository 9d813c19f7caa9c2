//! The plane that login services call: `/v1/…`, the OAuth endpoints, and the OpenAPI document.

mod devices;
mod feed;
mod inputs;
mod oauth;
mod oauth_clients;
mod openapi;
mod refusals;
mod related;
mod tokens;
