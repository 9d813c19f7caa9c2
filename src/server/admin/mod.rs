//! The admin plane: JSON or a form in, JSON out, an API key for everything but the probes.
//!
//! | path | methods | scope |
//! |---|---|---|
//! | `/v1/tokens` | POST | tokens |
//! | `/v1/tokens/{id}` | GET, PATCH, DELETE | tokens |
//! | `/v1/tokens/{id}/rotate`, `…/confirm` | POST | tokens |
//! | `/v1/tokens/{id}/takeover` | POST, DELETE | takeovers |
//! | `/v1/tokens/{id}/takeovers`, `/v1/users/{user}/takeovers` | GET | takeovers |
//! | `/v1/users/{user}/devices` | GET, POST | devices |
//! | `/v1/users/{user}/devices/{uuid}` | GET, PATCH, DELETE | devices |
//! | `/v1/devices/login` | POST | devices |
//! | `/v1/tokens/{id}/related` | POST, DELETE | tokens |
//! | `/v1/tokens/{id}/related/{content_type}/{object_id}` | DELETE | tokens |
//! | `/v1/related/{content_type}/{object_id}/tokens` | GET, DELETE | tokens |
//! | `/v1/users/{user}/tokens` | GET, DELETE | tokens |
//! | `/v1/users/{user}/events`, `/v1/events` | GET | events |
//! | `/v1/validate` | POST | introspect |
//! | `/introspect` | POST | introspect |
//! | `/revoke` | POST | introspect or tokens |
//! | `/metrics`, `/v1/status` | GET | metrics |
//! | `/openapi.json` | GET | none |
//! | `/livez`, `/readyz` | GET | none |

pub mod api_keys;
pub mod body;
pub mod devices;
pub mod feed;
pub mod fields;
pub mod json_value;
pub mod oauth;
pub mod paging;
pub mod plane;
pub mod problem;
pub mod refusals;
pub mod related;
pub mod routes;
pub mod status;
pub mod takeovers;
pub mod tokens;
pub mod users;
pub mod validate;
