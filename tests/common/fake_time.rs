//! A wrong system clock for a child process, by libfaketime; it can change while the process runs. The kernel's
//! monotonic clocks are not affected, as on a machine whose clock is set.

use std::path::PathBuf;

use tempfile::TempDir;

/// The wall clock of processes that start with [`FakeTime::env`].
pub struct FakeTime {
    dir: TempDir,
}

impl FakeTime {
    /// Creates a wall clock that is wrong by `error`, for example `+3d` or `-4s`.
    pub fn new(error: &str) -> Self {
        let time = Self { dir: tempfile::tempdir().unwrap() };
        time.set(error);
        time
    }

    /// Makes the clock wrong by `error` from now on; `+0` makes it right.
    pub fn set(&self, error: &str) {
        // Replaced atomically, because the process reads the file whenever it asks for the time.
        let next = self.dir.path().join("next");
        std::fs::write(&next, error).unwrap();
        std::fs::rename(next, self.file()).unwrap();
    }

    /// Returns the environment variables that the process needs.
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            // The variable's name depends on the version.
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("time")
    }
}

/// Debian uses one folder per architecture.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.exists())
        .unwrap_or_else(|| panic!("no libfaketime: run scripts/setup"))
}
