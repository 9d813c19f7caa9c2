//! The randomness is a parameter: every component that needs random bytes holds an [`Entropy`].

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{StdRng, SysError, SysRng};
use rand::{Rng, SeedableRng, TryRng};

/// A source of cryptographically secure random bytes. Cheap to clone; clones share one state.
#[derive(Clone)]
pub struct Entropy(Generator);

#[derive(Clone)]
enum Generator {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Entropy {
    /// Returns the operating system's generator. It is asked for every draw, so that a forked process or a cloned machine
    /// cannot repeat a token.
    pub fn system() -> Self {
        Self(Generator::System)
    }

    /// Returns a generator that repeats the same bytes for the same seed; for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Generator::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// Draws `N` random bytes.
    ///
    /// # Errors
    /// If the operating system cannot supply random bytes.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], SysError> {
        let mut bytes = [0; N];
        match &self.0 {
            Generator::System => SysRng.try_fill_bytes(&mut bytes)?,
            Generator::Seeded(rng) => {
                rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes)
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_generator_repeats_its_bytes_and_the_system_does_not() {
        let draw = |entropy: Entropy| entropy.bytes::<16>().unwrap();
        assert_eq!(draw(Entropy::seeded(7)), draw(Entropy::seeded(7)));
        assert_ne!(draw(Entropy::system()), draw(Entropy::system()));
    }
}
