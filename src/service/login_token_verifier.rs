//! Verifies login tokens of a former system by PBKDF2, off the asynchronous threads and a few at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::error::ServiceError;
use crate::foreign::Pbkdf2Hash;
use crate::store::StoreError;
use crate::values::SecretString;

/// The verifications that run at once: each takes a core for some tenths of a second, which validation may need.
pub const PBKDF2_AT_ONCE: usize = 2;
/// The logins that are verified or wait for it; further ones are refused with 503.
pub const MAX_PBKDF2_LOGINS: usize = 32;

/// Verifies login tokens by the hashes that were imported.
pub(crate) struct LoginTokenVerifier {
    admitted: Semaphore,
    running: Arc<Semaphore>,
}

impl LoginTokenVerifier {
    pub(crate) fn new() -> Self {
        let (admitted, running) =
            (Semaphore::new(MAX_PBKDF2_LOGINS), Arc::new(Semaphore::new(PBKDF2_AT_ONCE)));
        Self { admitted, running }
    }

    /// Returns the place of the first hash that the login token fits.
    ///
    /// # Errors
    /// `Busy` if too many logins wait; `Unavailable` if the process stops.
    pub(crate) async fn find(
        &self,
        hashes: Vec<Pbkdf2Hash>,
        login_token: SecretString,
    ) -> Result<Option<usize>, ServiceError> {
        if hashes.is_empty() {
            return Ok(None);
        }
        let _admitted = self.admitted.try_acquire().map_err(|_| ServiceError::Busy)?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| stopped())?;
        // The permit goes along: a client that hangs up does not stop the verification.
        let verify = move || {
            let _permit = permit;
            hashes.iter().position(|hash| hash.verifies(login_token.expose().as_bytes()))
        };
        tokio::task::spawn_blocking(verify).await.map_err(|_| stopped())
    }
}

fn stopped() -> ServiceError {
    StoreError::Unavailable("the process stops".into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PBKDF2PasswordHasher().encode("secret", "salt", 1)` of Django 5.2.
    const HASH: &str = "pbkdf2_sha256$1$salt$ON9CizCTCOSMNofn+QvaDpzyU1aMIex1Sg4HarSrZCM=";

    fn hashes(count: usize) -> Vec<Pbkdf2Hash> {
        vec![Pbkdf2Hash::parse(HASH).unwrap(); count]
    }

    #[tokio::test]
    async fn the_first_hash_that_fits_is_found() {
        let verifier = LoginTokenVerifier::new();
        let other = Pbkdf2Hash::parse(&HASH.replace("$salt$", "$other$")).unwrap();
        let hashes = [vec![other], hashes(2)].concat();
        assert_eq!(verifier.find(hashes.clone(), SecretString::new("secret")).await.unwrap(), Some(1));
        assert_eq!(verifier.find(hashes, SecretString::new("another")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn logins_beyond_the_bound_are_refused_at_once() {
        let verifier = Arc::new(LoginTokenVerifier::new());
        let slots: Vec<_> =
            (0..PBKDF2_AT_ONCE).map(|_| Arc::clone(&verifier.running).try_acquire_owned().unwrap()).collect();
        let find = |verifier: Arc<LoginTokenVerifier>| async move {
            verifier.find(hashes(1), SecretString::new("secret")).await
        };
        let waiting: Vec<_> =
            (0..MAX_PBKDF2_LOGINS).map(|_| tokio::spawn(find(Arc::clone(&verifier)))).collect();
        while verifier.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(find(Arc::clone(&verifier)).await, Err(ServiceError::Busy)));
        // A login that needs no PBKDF2 does not wait.
        assert_eq!(verifier.find(Vec::new(), SecretString::new("secret")).await.unwrap(), None);
        drop(slots);
        for login in waiting {
            assert_eq!(login.await.unwrap().unwrap(), Some(0));
        }
        assert_eq!(find(verifier).await.unwrap(), Some(0));
    }
}
