//! A system clock that is wrong, for a child process: libfaketime, which is told the time while the process runs. The
//! kernel's monotonic clocks stay as they are, as on a machine whose clock is set.

use std::path::PathBuf;

use tempfile::TempDir;

/// A process that starts with [`FakeTime::env`] sees this wall clock.
pub struct FakeTime {
    dir: TempDir,
}

impl FakeTime {
    /// A wall clock that is wrong by `error`, for example `+3d` or `-4s`.
    pub fn new(error: &str) -> Self {
        let time = Self { dir: tempfile::tempdir().unwrap() };
        time.set(error);
        time
    }

    /// From now on it is wrong by `error`; right by `+0`.
    pub fn set(&self, error: &str) {
        // Replaced as a whole: the process reads the file each time it asks for the time.
        let next = self.dir.path().join("next");
        std::fs::write(&next, error).unwrap();
        std::fs::rename(next, self.file()).unwrap();
    }

    /// The variables that the process needs.
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            // The name of this variable depends on the version.
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

/// Debian has one folder per architecture.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.exists())
        .unwrap_or_else(|| panic!("no libfaketime: run scripts/setup"))
}
