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
    /// System that made the token strings, or its device keys
    #[arg(long, value_name = "NAME", value_parser = formats())]
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

/// The name of the format of device keys.
const DEVICES: &str = "django-auth-token-devices";

fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(Scheme::ALL.into_iter().map(Scheme::name).chain([DEVICES]))
}

/// The format of an export's lines.
pub(super) enum Format {
    /// Sessions with token strings of this scheme; the key hashes those in plaintext.
    Tokens(Scheme, Option<hmac::Key>),
    /// Device keys of django-auth-token.
    Devices,
}

impl Format {
    /// The list of records in the body of the call.
    pub(super) fn list(&self) -> &'static str {
        match self {
            Self::Tokens(..) => "tokens",
            Self::Devices => "devices",
        }
    }

    /// The list of results in the answer.
    pub(super) fn results(&self) -> &'static str {
        match self {
            Self::Tokens(..) => "results",
            Self::Devices => "device_results",
        }
    }
}

impl ImportSessions {
    /// Returns the format of the lines.
    ///
    /// # Errors
    /// If the secret cannot be read, or the format needs none.
    pub(super) fn format(&self) -> Result<Format, Failure> {
        let scheme = Scheme::named(&self.format);
        if self.secret_file.is_some() && scheme != Some(Scheme::DjangoAuthToken) {
            return Err(Failure::usage("--secret-file", "is only for --format django-auth-token"));
        }
        let Some(scheme) = scheme else { return Ok(Format::Devices) };
        let Some(path) = &self.secret_file else { return Ok(Format::Tokens(scheme, None)) };
        let content = read_bounded(path).map_err(|error| {
            Failure::usage("--secret-file", &format!("cannot read the file {}: {error}", path.display()))
        })?;
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&content);
        // The setting `foreign` reads it alike: a secret may have any other white space.
        let mut lines = content.split(|byte| matches!(byte, b'\n' | b'\r'));
        let secret = lines.find(|line| !line.trim_ascii().is_empty());
        let secret = secret.ok_or_else(|| Failure::usage("--secret-file", "names an empty file"))?;
        Ok(Format::Tokens(scheme, Some(django_auth_token_key(secret))))
    }
}
