//! The part of RESP2 that look-ups need (Redis serialization protocol specification): commands are written, and their
//! replies are parsed in place.

/// The longest reply to a look-up. A server that sends more is not a Doorward store.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The digits of the longest length.
const MAX_LENGTH_DIGITS: usize = 5;

/// The outcome of parsing the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum ParsedReply<T> {
    /// The value, and the number of bytes it took.
    Complete(T, usize),
    /// The end of the reply has not arrived yet.
    Incomplete,
    /// The answer has another form than expected: the connection can no longer be used.
    Malformed,
}

impl<T> ParsedReply<RespReply<T>> {
    /// Applies `convert` to a value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> ParsedReply<RespReply<U>> {
        match self {
            Self::Complete(RespReply::Value(value), length) => {
                ParsedReply::Complete(RespReply::Value(convert(value)), length)
            }
            Self::Complete(RespReply::Error(text), length) => {
                ParsedReply::Complete(RespReply::Error(text), length)
            }
            Self::Incomplete => ParsedReply::Incomplete,
            Self::Malformed => ParsedReply::Malformed,
        }
    }
}

/// The reply to a command.
#[derive(Debug, PartialEq, Eq)]
pub enum RespReply<T> {
    Value(T),
    /// An error, which starts with its code.
    Error(String),
}

/// Appends a command to `out`.
pub fn write_command(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    write_length(out, b'*', arguments.len());
    arguments.iter().for_each(|argument| write_bulk(out, argument));
}

/// Appends a bulk string to `out`.
pub fn write_bulk(out: &mut Vec<u8>, bulk: &[u8]) {
    write_length(out, b'$', bulk.len());
    out.extend_from_slice(bulk);
    out.extend_from_slice(b"\r\n");
}

/// Appends a bulk string that is given in parts to `out`.
pub fn write_joined_bulk(out: &mut Vec<u8>, parts: &[&str]) {
    write_length(out, b'$', parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    out.extend_from_slice(b"\r\n");
}

fn write_length(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    // Most lengths have one or two digits, and formatting would cost as much as all the rest.
    match length {
        0..10 => out.push(b'0' + length as u8),
        10..100 => out.extend_from_slice(&[b'0' + (length / 10) as u8, b'0' + (length % 10) as u8]),
        _ => out.extend_from_slice(length.to_string().as_bytes()),
    }
    out.extend_from_slice(b"\r\n");
}

/// Parses an array of `N` bulk strings, any of which may be null.
pub fn read_array<const N: usize>(buffer: &[u8]) -> ParsedReply<RespReply<[Option<&[u8]>; N]>> {
    let mut values = [None; N];
    let mut at = match read_length(buffer, 0, b'*') {
        Length::Complete(length, next) if length == Some(N) => next,
        Length::Incomplete => return incomplete(buffer),
        _ => return read_error(buffer),
    };
    for value in &mut values {
        match read_bulk(buffer, at) {
            ParsedReply::Complete(bulk, next) => (*value, at) = (bulk, next),
            ParsedReply::Incomplete => return incomplete(buffer),
            ParsedReply::Malformed => return ParsedReply::Malformed,
        }
    }
    ParsedReply::Complete(RespReply::Value(values), at)
}

/// Parses a bulk string, which may be null.
pub fn read_value(buffer: &[u8]) -> ParsedReply<RespReply<Option<&[u8]>>> {
    match read_bulk(buffer, 0) {
        ParsedReply::Complete(bulk, next) => ParsedReply::Complete(RespReply::Value(bulk), next),
        ParsedReply::Incomplete => incomplete(buffer),
        ParsedReply::Malformed => read_error(buffer),
    }
}

/// Parses a simple string or a number, of which only matters that it is no error.
pub fn read_done(buffer: &[u8]) -> ParsedReply<RespReply<()>> {
    match read_line(buffer, 0) {
        Line::Complete(b'+' | b':', _, next) => ParsedReply::Complete(RespReply::Value(()), next),
        Line::Complete(b'-', text, next) => ParsedReply::Complete(RespReply::Error(lossy(text)), next),
        Line::Complete(..) => ParsedReply::Malformed,
        Line::Incomplete => incomplete(buffer),
    }
}

/// Parses a simple string, a number or a bulk string as text.
pub fn read_text(buffer: &[u8]) -> ParsedReply<RespReply<String>> {
    match read_line(buffer, 0) {
        Line::Complete(b'+' | b':', text, next) => ParsedReply::Complete(RespReply::Value(lossy(text)), next),
        Line::Complete(b'-', text, next) => ParsedReply::Complete(RespReply::Error(lossy(text)), next),
        Line::Complete(..) => read_value(buffer).map(|value| lossy(value.unwrap_or_default())),
        Line::Incomplete => incomplete(buffer),
    }
}

fn read_bulk(buffer: &[u8], at: usize) -> ParsedReply<Option<&[u8]>> {
    let (length, start) = match read_length(buffer, at, b'$') {
        Length::Complete(Some(length), start) if length <= MAX_REPLY_BYTES => (length, start),
        Length::Complete(None, next) => return ParsedReply::Complete(None, next),
        Length::Complete(..) | Length::Malformed => return ParsedReply::Malformed,
        Length::Incomplete => return ParsedReply::Incomplete,
    };
    let end = start + length;
    match buffer.get(end..end + 2) {
        Some(b"\r\n") => ParsedReply::Complete(Some(&buffer[start..end]), end + 2),
        Some(_) => ParsedReply::Malformed,
        None => ParsedReply::Incomplete,
    }
}

/// Parses an error, where no other line is expected.
fn read_error<T>(buffer: &[u8]) -> ParsedReply<RespReply<T>> {
    match read_line(buffer, 0) {
        Line::Complete(b'-', text, next) => ParsedReply::Complete(RespReply::Error(lossy(text)), next),
        Line::Complete(..) => ParsedReply::Malformed,
        Line::Incomplete if buffer.first() == Some(&b'-') => incomplete(buffer),
        Line::Incomplete => ParsedReply::Malformed,
    }
}

/// Waits for the rest of a reply, unless it is already too long.
fn incomplete<T>(buffer: &[u8]) -> ParsedReply<T> {
    if buffer.len() > MAX_REPLY_BYTES { ParsedReply::Malformed } else { ParsedReply::Incomplete }
}

enum Line<'a> {
    /// The type byte, the text, and where the next line starts.
    Complete(u8, &'a [u8], usize),
    Incomplete,
}

fn read_line(buffer: &[u8], at: usize) -> Line<'_> {
    let Some((kind, rest)) = buffer.get(at..).and_then(<[u8]>::split_first) else { return Line::Incomplete };
    let mut from = 0;
    while let Some(found) = rest[from..].iter().position(|byte| *byte == b'\r') {
        let end = from + found;
        match rest.get(end + 1) {
            Some(b'\n') => return Line::Complete(*kind, &rest[..end], at + 1 + end + 2),
            Some(_) => from = end + 1,
            None => break,
        }
    }
    Line::Incomplete
}

/// A length line.
#[derive(Debug, PartialEq, Eq)]
enum Length {
    /// The length, `None` for null, and where the next line starts.
    Complete(Option<usize>, usize),
    Incomplete,
    Malformed,
}

/// Parses the line of this type that starts at `at`, in one pass: a look-up's reply has a dozen of them.
fn read_length(buffer: &[u8], at: usize, kind: u8) -> Length {
    let Some((first, line)) = buffer.get(at..).and_then(<[u8]>::split_first) else {
        return Length::Incomplete;
    };
    if *first != kind {
        return Length::Malformed;
    }
    let mut length = 0;
    for (count, byte) in line.iter().enumerate().take(MAX_LENGTH_DIGITS + 1) {
        match byte {
            b'0'..=b'9' if count < MAX_LENGTH_DIGITS => length = length * 10 + usize::from(byte - b'0'),
            b'\r' if count > 0 => return after_line(line, Some(length), at + 1, count),
            b'-' if count == 0 => return read_null(line, at + 1),
            _ => return Length::Malformed,
        }
    }
    Length::Incomplete
}

fn read_null(line: &[u8], start: usize) -> Length {
    match line.first_chunk::<3>() {
        Some(b"-1\r") => after_line(line, None, start, 2),
        Some(_) => Length::Malformed,
        None => Length::Incomplete,
    }
}

/// Returns the length in a line that starts at `start` and has its carriage return at `end`.
fn after_line(line: &[u8], length: Option<usize>, start: usize, end: usize) -> Length {
    match line.get(end + 1) {
        Some(b'\n') => Length::Complete(length, start + end + 2),
        Some(_) => Length::Malformed,
        None => Length::Incomplete,
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_written_as_arrays_of_bulk_strings() {
        let mut out = Vec::new();
        write_command(&mut out, &[b"GET", b"0123456789", b""]);
        assert_eq!(out, b"*3\r\n$3\r\nGET\r\n$10\r\n0123456789\r\n$0\r\n\r\n");
        let long = "a".repeat(123);
        for parts in [vec!["a", "", "b"], vec!["0123", "456789"], vec![&long[..], &long[..99], ""]] {
            let (mut joined, mut whole) = (Vec::new(), Vec::new());
            write_joined_bulk(&mut joined, &parts);
            write_bulk(&mut whole, parts.concat().as_bytes());
            assert_eq!(joined, whole);
            assert!(joined.starts_with(format!("${}\r\n", parts.concat().len()).as_bytes()));
        }
    }

    #[test]
    fn a_line_ends_with_both_bytes_and_numbers_may_have_a_sign() {
        assert_eq!(read_text(b"+a\rb\r\r\n"), ParsedReply::Complete(RespReply::Value("a\rb\r".into()), 7));
        let length = |line: &str| read_length(line.as_bytes(), 0, b'$');
        for (text, expected) in [("0", Some(0)), ("12", Some(12)), ("65536", Some(65_536)), ("-1", None)] {
            let line = format!("${text}\r\n");
            assert_eq!(length(&line), Length::Complete(expected, line.len()));
            for end in 0..line.len() {
                assert_eq!(length(&line[..end]), Length::Incomplete, "{line:?} up to {end}");
            }
        }
        for malformed in ["$\r\n", "$1x\r\n", "$x", "$1\rx", "$-2\r", "$-x1", "$123456\r\n", "*1\r\n"] {
            assert_eq!(length(malformed), Length::Malformed, "{malformed:?}");
        }
    }

    #[test]
    fn every_prefix_of_a_reply_is_incomplete() {
        let reply = b"*3\r\n$2\r\n\r\n\r\n$-1\r\n$0\r\n\r\n";
        for end in 0..reply.len() {
            assert_eq!(read_array::<3>(&reply[..end]), ParsedReply::Incomplete, "{end}");
        }
        let followed = [&reply[..], b"*3\r\n"].concat();
        let values: [Option<&[u8]>; 3] = [Some(b"\r\n"), None, Some(b"")];
        assert_eq!(read_array::<3>(&followed), ParsedReply::Complete(RespReply::Value(values), reply.len()));
    }

    #[test]
    fn errors_are_replies_and_other_forms_are_malformed() {
        let error = ParsedReply::Complete(RespReply::Error("LOADING soon".into()), 15);
        assert_eq!(read_array::<2>(b"-LOADING soon\r\n+"), error);
        for malformed in [
            "*2\r\n",
            "*x\r\n",
            ":1\r\n",
            "*3\r\n:1\r\n",
            "*3\r\n$1\r\nabc",
            "*3\r\n$-2\r\n",
            "*3\r\n$99999\r\n",
        ] {
            assert_eq!(read_array::<3>(malformed.as_bytes()), ParsedReply::Malformed, "{malformed:?}");
        }
        assert_eq!(read_done(b":0\r\n*"), ParsedReply::Complete(RespReply::Value(()), 4));
        assert_eq!(
            read_done(b"-READONLY\r\n"),
            ParsedReply::Complete(RespReply::Error("READONLY".into()), 11)
        );
        assert_eq!(
            (read_done(b":0\r"), read_done(b"*1\r\n")),
            (ParsedReply::Incomplete, ParsedReply::Malformed)
        );
        assert_eq!(read_text(b"+OK\r\n"), ParsedReply::Complete(RespReply::Value("OK".into()), 5));
        assert_eq!(read_text(b"$2\r\nhi\r\n"), ParsedReply::Complete(RespReply::Value("hi".into()), 8));
        assert_eq!(read_text(&[b'+'; MAX_REPLY_BYTES + 1]), ParsedReply::Malformed);
    }

    proptest! {
        #[test]
        fn random_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read_array::<3>(&bytes), read_text(&bytes), read_done(&bytes));
        }

        #[test]
        fn bytes_of_the_protocol_do_not_panic(text in r"[*$+\-:0-9\r\n]{0,60}") {
            let _ = (read_array::<1>(text.as_bytes()), read_text(text.as_bytes()));
        }
    }
}
