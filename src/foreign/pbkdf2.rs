//! PBKDF2 hashes as Django's default password hasher writes them: `pbkdf2_sha256$ITERATIONS$SALT$HASH`.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::SHA256_OUTPUT_LEN;
use ring::pbkdf2;

/// The name of the algorithm in a hash (django.contrib.auth.hashers, `PBKDF2PasswordHasher`).
const ALGORITHM: &str = "pbkdf2_sha256";
/// The most iterations of a hash: eight times as many as Django 6.0 uses. A verification takes a core for about three
/// seconds.
pub const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
/// The longest hash: the column of Django's hashes has as many characters.
pub const MAX_PBKDF2_HASH_CHARS: usize = 128;

/// A well-formed hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Pbkdf2Hash(String);

/// The parts of a hash.
struct Parts<'a> {
    iterations: NonZeroU32,
    salt: &'a str,
    hash: [u8; SHA256_OUTPUT_LEN],
}

impl Pbkdf2Hash {
    /// Parses a hash.
    ///
    /// # Errors
    /// The mistake in the text, without the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        parts(text).map(|_| Self(text.to_owned()))
    }

    /// The hash as Django writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Verifies a secret. Takes a core for the time of all iterations: do not call it in a task.
    pub fn verifies(&self, secret: &[u8]) -> bool {
        let Ok(Parts { iterations, salt, hash }) = parts(&self.0) else { return false };
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt.as_bytes(), secret, &hash).is_ok()
    }
}

fn parts(text: &str) -> Result<Parts<'_>, String> {
    let malformed = || format!("must be of the form {ALGORITHM}$ITERATIONS$SALT$HASH");
    let Some((algorithm, rest)) = text.split_once('$') else { return Err(malformed()) };
    if algorithm != ALGORITHM {
        return Err(format!("must be a hash of {ALGORITHM}, not of another algorithm"));
    }
    if text.len() > MAX_PBKDF2_HASH_CHARS {
        return Err(format!("must be at most {MAX_PBKDF2_HASH_CHARS} characters long"));
    }
    let &[iterations, salt, hash] = rest.split('$').collect::<Vec<_>>().as_slice() else {
        return Err(malformed());
    };
    // `parse` takes a sign, which Django never writes.
    let is_number = !iterations.is_empty() && iterations.bytes().all(|byte| byte.is_ascii_digit());
    let is_salt = !salt.is_empty() && salt.bytes().all(|byte| byte.is_ascii_graphic());
    let hash = STANDARD.decode(hash).ok().and_then(|hash| hash.try_into().ok());
    let Some(hash) = hash.filter(|_| is_number && is_salt) else { return Err(malformed()) };
    let iterations = iterations.parse().ok().filter(|iterations| *iterations <= MAX_PBKDF2_ITERATIONS);
    let iterations = iterations.and_then(NonZeroU32::new);
    let iterations =
        iterations.ok_or_else(|| format!("must have 1 to {MAX_PBKDF2_ITERATIONS} iterations"))?;
    Ok(Parts { iterations, salt, hash })
}

impl fmt::Debug for Pbkdf2Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pbkdf2Hash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Login tokens and their hashes. The first is of skip-django-auth-token 0.7.2 with Django 5.2,
    /// `device = MobileDevice.objects.activate_or_create(uuid=…, user=…)`: `device.secret_password`, `device.login_token`.
    /// The second is made as django-auth-token 0.0.25 makes it, with the iterations of Django 2.1:
    /// `PBKDF2PasswordHasher().encode(hexlify(os.urandom(64)).decode(), "cVkNoPvlJmAe", 120000)`.
    const MADE_BY_DJANGO: [(&str, &str); 2] = [
        (
            "uSPGpGaqeaFClt3dovtNQRan0WyyLqR4I9fLIfjtVrJnoASBMXc1ynDNHf1sxGkK",
            "pbkdf2_sha256$1000000$4nrSviGP0nNZNLDZkMcwxi$3nL4XZ5+deuOxN3yWqXmXz7v8QeLn2JKbs73gHFPztE=",
        ),
        (
            "39af63ac7de27cbd7250e48b2fda91079b9ea364d3a83914dec05a11c877a86940e66051b272ad03d7a441ecae5bd8879a291f93405be76b831f02fc026fd75a",
            "pbkdf2_sha256$120000$cVkNoPvlJmAe$o0i+ncZCkxzFas/2A2DFKYDgPgzyLZygrX//zUaUzlM=",
        ),
    ];

    #[test]
    fn hashes_of_django_verify_their_secret_only() {
        for (secret, hash) in MADE_BY_DJANGO {
            let hash = Pbkdf2Hash::parse(hash).unwrap();
            assert!(hash.verifies(secret.as_bytes()));
            assert!(!hash.verifies(&secret.as_bytes()[1..]));
            assert_eq!(format!("{hash:?}"), "Pbkdf2Hash(…)");
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        let good = MADE_BY_DJANGO[1].1;
        assert_eq!(Pbkdf2Hash::parse(good).unwrap().as_str(), good);
        let iterations = |number: &str| good.replace("120000", number);
        for (text, reason) in [
            (String::new(), "must be of the form"),
            ("hunter2".into(), "must be of the form"),
            ("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA".into(), "another algorithm"),
            (good.replace("sha256", "sha1"), "another algorithm"),
            ("!Qm9ndXM$".into(), "another algorithm"),
            (good.replace("$cVk", "$c$Vk"), "must be of the form"),
            (good.replace("cVkNoPvlJmAe", ""), "must be of the form"),
            (good.replace("cVkN", "cV N"), "must be of the form"),
            (good.replace("zlM=", "zlM"), "must be of the form"),
            (good.replace("zlM=", ""), "must be of the form"),
            (iterations("+1"), "must be of the form"),
            (iterations("x"), "must be of the form"),
            (iterations("0"), "1 to 10000000 iterations"),
            (iterations("10000001"), "1 to 10000000 iterations"),
            (iterations("99999999999999999999"), "1 to 10000000 iterations"),
            (good.replace("cVk", &"c".repeat(60)), "at most 128 characters"),
        ] {
            let error = Pbkdf2Hash::parse(&text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
