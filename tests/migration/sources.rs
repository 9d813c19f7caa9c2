//! The systems from which tokens are moved.

use super::former::Login;

/// A former system: a package with its own validation, and the recipe that exports its tokens.
#[derive(Debug)]
pub struct Source {
    /// The scheme, and what the site's program gets as `PACKAGE`.
    pub scheme: &'static str,
    pub program: Program,
    /// In config/migration.
    pub export: &'static str,
    /// Where its clients put a token; each client has one place.
    pub places: &'static [Place],
    /// The content of the secret file.
    pub secret: Option<&'static str>,
    /// The export has idle times.
    pub has_idle_times: bool,
    /// A token string that was never issued.
    pub forged: &'static str,
}

/// The programs that run the site and its export.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// A Django site in this environment of Python.
    Django(&'static str),
    /// A site with a table in SQLite.
    Table,
    /// An Express site.
    Express,
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// `Authorization` with this scheme.
    Header(&'static str),
    /// The cookie of this name.
    Cookie(&'static str),
}

const DJANGO: Program = Program::Django("target/migration");
const SECRET_KEY: &str = "the-secret-key-of-the-site-0123456789\n";

pub const DJANGO_AUTH_TOKEN: Source = Source {
    scheme: "django-auth-token",
    program: DJANGO,
    export: "export-django-auth-token.py",
    places: &[Place::Header("Bearer"), Place::Cookie("Authorization")],
    secret: Some(SECRET_KEY),
    has_idle_times: true,
    forged: "Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk",
};

pub const DJANGO_AUTH_TOKEN_PLAIN: Source = Source {
    scheme: "django-auth-token-plain",
    program: Program::Django("target/migration-django-3"),
    export: "export-django-auth-token-plain.py",
    places: DJANGO_AUTH_TOKEN.places,
    secret: None,
    has_idle_times: true,
    forged: "0123456789abcdef0123456789abcdef01234567",
};

pub const DRF: Source = Source {
    scheme: "drf",
    program: DJANGO,
    export: "export-drf.py",
    places: &[Place::Header("Token")],
    secret: None,
    has_idle_times: false,
    forged: DJANGO_AUTH_TOKEN_PLAIN.forged,
};

pub const KNOX: Source = Source {
    scheme: "knox",
    program: DJANGO,
    export: "export-knox.py",
    places: &[Place::Header("Token")],
    secret: None,
    has_idle_times: false,
    forged: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
};

pub const SANCTUM: Source = Source {
    scheme: "sanctum",
    program: Program::Table,
    export: "export-sanctum.sql",
    places: &[Place::Header("Bearer")],
    secret: None,
    has_idle_times: false,
    forged: "1|Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk01234567",
};

pub const EXPRESS_SESSION: Source = Source {
    scheme: "express-session",
    program: Program::Express,
    export: "export-express-session.mjs",
    places: &[Place::Cookie("connect.sid")],
    secret: Some("the-secret-of-the-site\nan-older-secret-of-the-site\n"),
    has_idle_times: true,
    forged: "s%3AZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk.Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm8",
};

pub const SHA256: Source = Source {
    scheme: "sha256",
    program: Program::Table,
    export: "export-table.sql",
    places: &[Place::Cookie("session")],
    secret: None,
    has_idle_times: false,
    forged: "Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm8",
};

impl Place {
    /// Returns the header that carries a token string here.
    pub fn header(self, token: &str) -> (String, String) {
        match self {
            Self::Header(scheme) => ("Authorization".into(), format!("{scheme} {token}")),
            Self::Cookie(name) => ("Cookie".into(), format!("{name}={token}")),
        }
    }
}

impl Source {
    /// Returns a client with a forged token at each place.
    pub fn forgers(&self) -> impl Iterator<Item = Login> {
        self.places.iter().map(|place| Login { header: place.header(self.forged), user: String::new() })
    }
}
