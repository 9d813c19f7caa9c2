//! Reads an export line by line, and makes batches of records.

use std::io::{self, BufRead, Read as _};
use std::sync::Arc;

use serde_json::Value;

use super::args::Format;
use super::record::record;
use crate::model::import::{MAX_IMPORT_BYTES, MAX_IMPORTS};

/// The longest line. A record has a few hundred bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// The mark that some programs write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// A batch with as many bytes of lines gets no further line, so that its body is never too large.
const FULL_BATCH_BYTES: usize = MAX_IMPORT_BYTES - 16 * MAX_LINE_BYTES;

/// The lines of one call.
#[derive(Default)]
pub(super) struct LineBatch {
    /// The records.
    pub(super) records: Vec<Value>,
    /// The line of each record.
    pub(super) lines: Vec<u64>,
    /// The lines without a record, and why.
    pub(super) skipped: Vec<(u64, String)>,
    /// The last line that was read.
    pub(super) last_line: u64,
    /// How many bytes of the export were read.
    pub(super) bytes_read: u64,
}

/// Reads an export.
pub(super) struct Lines<R> {
    input: R,
    format: Arc<Format>,
    from_line: u64,
    line: u64,
    bytes_read: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads an export from this line on.
    pub(super) fn new(input: R, format: Arc<Format>, from_line: u64) -> Self {
        Self { input, format, from_line, line: 0, bytes_read: 0 }
    }

    /// Reads the next batch; `None` at the end of the export. Blank lines are left out.
    ///
    /// # Errors
    /// If the export cannot be read.
    pub(super) fn batch(&mut self) -> io::Result<Option<LineBatch>> {
        let (mut batch, mut bytes) = (LineBatch::default(), 0);
        let mut text = Vec::new();
        // Lines that are skipped count, so that a batch ends though nothing in it is right.
        while batch.records.len() + batch.skipped.len() < MAX_IMPORTS && bytes < FULL_BATCH_BYTES {
            if !self.line(&mut text)? {
                break;
            }
            if self.line < self.from_line || text.trim_ascii().is_empty() {
                continue;
            }
            bytes += text.len();
            let read = if text.len() > MAX_LINE_BYTES {
                Err(format!("is longer than {MAX_LINE_BYTES} bytes"))
            } else {
                record(&text, &self.format)
            };
            match read {
                Ok(record) => {
                    batch.records.push(record);
                    batch.lines.push(self.line);
                }
                Err(problem) => batch.skipped.push((self.line, problem)),
            }
        }
        (batch.last_line, batch.bytes_read) = (self.line, self.bytes_read);
        let is_empty = batch.records.is_empty() && batch.skipped.is_empty();
        Ok((!is_empty).then_some(batch))
    }

    /// Reads a line, and of one that is too long a part. Returns false at the end.
    fn line(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        text.clear();
        let most = MAX_LINE_BYTES as u64 + 1;
        let mut count = self.input.by_ref().take(most).read_until(b'\n', text)? as u64;
        if count == most && text.last() != Some(&b'\n') {
            count += skip_line(&mut self.input)?;
        }
        self.bytes_read += count;
        self.line += u64::from(count > 0);
        if self.line == 1 && text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(count > 0)
    }
}

/// Reads to the end of the line. Returns how many bytes it had.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (count, is_end) = (end.map_or(buffer.len(), |at| at + 1), end.is_some() || buffer.is_empty());
        input.consume(count);
        skipped += count as u64;
        if is_end {
            return Ok(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::Scheme;

    fn batches(export: &str, from_line: u64) -> Vec<LineBatch> {
        let mut lines = Lines::new(export.as_bytes(), Arc::new(Format::Tokens(Scheme::Drf, None)), from_line);
        std::iter::from_fn(|| lines.batch().unwrap()).collect()
    }

    #[test]
    fn a_batch_has_up_to_a_thousand_lines() {
        let export = "{\"user\": \"u\"}\n".repeat(2500);
        let read = batches(&export, 1);
        assert_eq!(read.iter().map(|batch| batch.records.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
        assert_eq!((read[1].lines[0], read[1].last_line), (1001, 2000));
        assert_eq!(read[2].bytes_read, export.len() as u64);
        let read = batches(&export, 2499);
        assert_eq!((read.len(), &read[0].lines), (1, &vec![2499, 2500]));
        assert!(batches(&export, 2501).is_empty() && batches("\n \n", 1).is_empty());
    }

    #[test]
    fn an_export_of_windows_is_read() {
        let [batch] = &batches("\u{feff}{\"user\": \"u\"}\r\n\r\n{\"user\": \"v\"}\r\n", 1)[..] else {
            panic!()
        };
        assert_eq!((&batch.lines, batch.skipped.len()), (&vec![1, 3], 0));
    }

    #[test]
    fn wrong_and_long_lines_are_skipped() {
        let long = format!("{{\"user\": \"{}\"}}", "x".repeat(MAX_LINE_BYTES));
        let export = format!("{{}}\n\nx\n{long}\n{long}{long}\n{{}}");
        let [batch] = &batches(&export, 1)[..] else { panic!() };
        assert_eq!((&batch.lines, batch.last_line), (&vec![1, 6], 6));
        let skipped: Vec<_> = batch.skipped.iter().map(|(line, problem)| (*line, problem.as_str())).collect();
        let long = "is longer than 65536 bytes";
        assert_eq!(skipped, [(3, "is not a JSON object"), (4, long), (5, long)]);
        assert_eq!(batch.bytes_read, export.len() as u64);
    }

    /// However long the lines are, the server accepts the body.
    #[test]
    fn a_batch_of_long_lines_is_not_too_large() {
        let line = format!("{{\"user_agent\": \"{}\"}}\n", "x".repeat(MAX_LINE_BYTES - 100));
        for batch in batches(&line.repeat(200), 1) {
            assert!(Value::from(batch.records).to_string().len() < MAX_IMPORT_BYTES - 1000);
        }
    }
}
