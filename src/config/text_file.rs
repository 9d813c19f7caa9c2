//! Files that settings name, as text.

use std::io;
use std::path::Path;

use crate::files::read_bounded;

/// Reads a whole file as text. A parameter, so that tests need no files.
pub type ReadTextFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Reads a file from the disk.
///
/// # Errors
/// If the file cannot be read, is too large, or is not UTF-8.
pub(crate) fn read_text_file(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bounded(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Reads a file from the disk, and refuses an empty one.
///
/// # Errors
/// As [`read_text_file`], and if the file has only white space in it.
pub(crate) fn read_filled_file(path: &Path) -> io::Result<String> {
    let text = read_text_file(path)?;
    if text.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(text)
}
