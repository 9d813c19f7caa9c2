//! Reads the files that settings name, with a limit on their size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

/// How often files that may be replaced are read again.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// The most bytes of a file. Settings and certificates are far smaller; a wrong path must not fill the memory.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why a file that a setting names cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct FileError {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The problem of the file. Never repeats its content.
    pub problem: String,
}

/// Opens a file. If it may not be read, the error names the user of this process: in a container, it is seldom the user who
/// wrote the file.
fn open(path: &Path) -> io::Result<File> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            let problem = format!("user {user} with group {group} may not read it: {error}");
            io::Error::new(io::ErrorKind::PermissionDenied, problem)
        }
        _ => error,
    })
}

/// Reads a file of at most [`MAX_FILE_BYTES`].
///
/// # Errors
/// If the file cannot be read or is larger.
pub fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(content)
}
