//! The configured forms: which foreign strings are looked at, and where they may stand.

use std::path::PathBuf;

use super::scheme::Scheme;
use super::shape::{Characters, Shape};
use crate::values::{HeaderScheme, SecretString};

/// The most secrets of one form. `django-auth-token` costs a look-up for each.
pub const MAX_SECRETS: usize = 8;
/// The most characters of a token string after its prefix.
pub const MAX_CHARS: usize = 512;
/// The fewest characters of a string that cannot be guessed.
pub const MIN_CHARS: usize = 16;

/// A form of foreign token strings, from the setting `foreign`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignForm {
    /// Its name in the settings.
    pub name: String,
    /// The system that made the strings.
    pub scheme: Scheme,
    /// The schemes of the header where they may stand.
    pub header_schemes: Vec<HeaderScheme>,
    /// The names of the cookies where they may stand.
    pub cookies: Vec<String>,
    /// The shape of the strings; for `sanctum`, the part after `|`, and for `express-session`, the session id.
    pub shape: Shape,
    /// The file with the secrets.
    pub secret_file: Option<PathBuf>,
    /// The secrets, from that file: a `SECRET_KEY` and its fallbacks, or the secrets of express-session.
    pub secrets: Vec<SecretString>,
    /// The Unix time in milliseconds from which on the form is not looked at.
    pub until_ms: Option<u64>,
}

impl ForeignForm {
    /// Returns a form of the scheme's own shape, without secrets and places.
    pub fn new(name: &str, scheme: Scheme) -> Self {
        Self {
            name: name.into(),
            scheme,
            header_schemes: Vec::new(),
            cookies: Vec::new(),
            shape: scheme.default_shape(),
            secret_file: None,
            secrets: Vec::new(),
            until_ms: None,
        }
    }
}

impl Scheme {
    /// Whether a form of this scheme needs secrets.
    pub const fn needs_secret(self) -> bool {
        matches!(self, Self::DjangoAuthToken | Self::ExpressSession)
    }

    /// The shape of the scheme's strings, unless the form has another.
    pub fn default_shape(self) -> Shape {
        match self {
            Self::DjangoAuthToken => Shape::new(40..=40, Characters::Alphanumeric),
            Self::DjangoAuthTokenPlain | Self::Drf => Shape::new(40..=40, Characters::Hex),
            Self::Knox => Shape::new(64..=64, Characters::Hex),
            Self::Sanctum => Shape::new(40..=MAX_CHARS, Characters::Printable),
            Self::ExpressSession | Self::Sha256 => Shape::new(MIN_CHARS..=MAX_CHARS, Characters::Printable),
        }
    }
}
