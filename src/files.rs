//! Reads configuration files, with a limit on their size.

use std::io;
use std::path::Path;
use std::time::Duration;

/// How often the files are looked at.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// The most bytes of a file: certificates are not near this, and a wrong path must not fill the memory.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads a file that holds certificates or a key.
///
/// # Errors
/// When it cannot be read, or is too large to be one.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(content)
}
