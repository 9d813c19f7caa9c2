//! The flags of `doorward import`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use ring::hmac;

use crate::cli::admin::{AdminFlags, Failure};
use crate::cli::commands::arguments::positive;
use crate::files::read_bounded;
use crate::foreign::Scheme;
use crate::foreign::scheme::django_auth_token_key;

/// The export to import.
#[derive(Debug, Args)]
pub struct ImportSessions {
    /// System that made the token strings
    #[arg(long, value_name = "NAME", value_parser = schemes())]
    format: String,
    /// File with Django's SECRET_KEY, to hash the plaintext tokens of django-auth-token
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
    /// First line to import; the lines before it are skipped
    #[arg(long, value_name = "LINE", value_parser = positive::<u64>, default_value = "1")]
    pub(super) from_line: u64,
    /// Change nothing, and say what would happen to each line
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(crate) admin: AdminFlags,
}

fn schemes() -> PossibleValuesParser {
    PossibleValuesParser::new(Scheme::ALL.map(Scheme::name))
}

impl ImportSessions {
    /// Returns the scheme and the key with which its plaintext tokens are hashed.
    ///
    /// # Errors
    /// If the secret cannot be read, or the scheme needs none.
    pub(super) fn scheme(&self) -> Result<(Scheme, Option<hmac::Key>), Failure> {
        let scheme = Scheme::named(&self.format).ok_or_else(|| Failure::usage("--format", "is unknown"))?;
        let Some(path) = &self.secret_file else { return Ok((scheme, None)) };
        if scheme != Scheme::DjangoAuthToken {
            return Err(Failure::usage("--secret-file", "is only for --format django-auth-token"));
        }
        let content = read_bounded(path).map_err(|error| {
            Failure::usage("--secret-file", &format!("cannot read the file {}: {error}", path.display()))
        })?;
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&content);
        // As the setting `foreign` reads it: a secret may have any other white space.
        let mut lines = content.split(|byte| matches!(byte, b'\n' | b'\r'));
        let secret = lines.find(|line| !line.trim_ascii().is_empty());
        let secret = secret.ok_or_else(|| Failure::usage("--secret-file", "names an empty file"))?;
        Ok((scheme, Some(django_auth_token_key(secret))))
    }
}
