//! The part of RESP2 that look-ups need (Redis serialization protocol specification): commands are written, and their
//! replies are parsed in place.

/// The longest reply to a look-up. A server that sends more is not a Doorward store.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

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

fn write_length(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    if length < 10 {
        // Most lengths are, and formatting would cost as much as all the rest.
        out.push(b'0' + length as u8);
    } else {
        out.extend_from_slice(length.to_string().as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Parses an array of `N` bulk strings, any of which may be null.
pub fn read_array<const N: usize>(buffer: &[u8]) -> ParsedReply<RespReply<[Option<&[u8]>; N]>> {
    let mut values = [None; N];
    let mut at = match read_line(buffer, 0) {
        Line::Complete(b'*', text, next) if number(text) == Some(N as i64) => next,
        Line::Complete(b'-', text, next) => {
            return ParsedReply::Complete(RespReply::Error(lossy(text)), next);
        }
        Line::Complete(..) => return ParsedReply::Malformed,
        Line::Incomplete => return incomplete(buffer),
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
    if let Line::Complete(b'-', text, next) = read_line(buffer, 0) {
        return ParsedReply::Complete(RespReply::Error(lossy(text)), next);
    }
    match read_bulk(buffer, 0) {
        ParsedReply::Complete(bulk, next) => ParsedReply::Complete(RespReply::Value(bulk), next),
        ParsedReply::Incomplete => incomplete(buffer),
        ParsedReply::Malformed => ParsedReply::Malformed,
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
        _ => read_value(buffer).map(|value| lossy(value.unwrap_or_default())),
    }
}

fn read_bulk(buffer: &[u8], at: usize) -> ParsedReply<Option<&[u8]>> {
    let (length, start) = match read_line(buffer, at) {
        Line::Complete(b'$', text, next) => (number(text), next),
        Line::Complete(..) => return ParsedReply::Malformed,
        Line::Incomplete => return ParsedReply::Incomplete,
    };
    let length = match length {
        Some(-1) => return ParsedReply::Complete(None, start),
        Some(length) => match usize::try_from(length) {
            Ok(length) if length <= MAX_REPLY_BYTES => length,
            _ => return ParsedReply::Malformed,
        },
        None => return ParsedReply::Malformed,
    };
    let end = start + length;
    match buffer.get(end..end + 2) {
        Some(b"\r\n") => ParsedReply::Complete(Some(&buffer[start..end]), end + 2),
        Some(_) => ParsedReply::Malformed,
        None => ParsedReply::Incomplete,
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

fn number(text: &[u8]) -> Option<i64> {
    // Most numbers are short lengths, and parsing text would cost as much as all the rest.
    if let 1..=4 = text.len()
        && text.iter().all(u8::is_ascii_digit)
    {
        return Some(text.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')));
    }
    std::str::from_utf8(text).ok()?.parse().ok()
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
    }

    #[test]
    fn a_line_ends_with_both_bytes_and_numbers_may_have_a_sign() {
        assert_eq!(read_text(b"+a\rb\r\r\n"), ParsedReply::Complete(RespReply::Value("a\rb\r".into()), 7));
        let texts: [&[u8]; 7] = [b"0", b"12", b"9999", b"65536", b"-1", b"", b"1x"];
        assert_eq!(texts.map(number), [Some(0), Some(12), Some(9999), Some(65536), Some(-1), None, None]);
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
