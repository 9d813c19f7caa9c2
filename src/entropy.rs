//! The randomness is a parameter: everything that draws random bytes holds an [`Entropy`].

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{StdRng, SysError, SysRng};
use rand::{Rng, SeedableRng, TryRng};

/// A source of cryptographically secure random bytes. Cheap to clone; clones share one state.
#[derive(Clone)]
pub struct Entropy(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Entropy {
    /// The operating system's generator, asked for every draw: a forked process or a cloned machine can
    /// never repeat a token.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The same bytes for the same seed; for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// Draws `N` random bytes.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], SysError> {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => SysRng.try_fill_bytes(&mut bytes)?,
            Source::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes),
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        let draw = |entropy: Entropy| entropy.bytes::<16>().unwrap();
        assert_eq!(draw(Entropy::seeded(7)), draw(Entropy::seeded(7)));
        assert_ne!(draw(Entropy::system()), draw(Entropy::system()));
    }
}
