//! Reading the files that settings name.

use std::io;
use std::path::Path;

/// Reads a whole file as text; a parameter so that tests need no files.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;
