//! The few forms of RESP2 that look-ups need: commands out, and in the answers to them (Redis serialization
//! protocol specification). Answers are read in place; only what is kept is copied.

/// No answer to a look-up is longer; a server that sends more is not one of ours.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What was read at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// It, and how many bytes it took.
    Whole(T, usize),
    /// Its end has not come yet.
    Partial,
    /// Not what was expected: the connection is of no more use.
    Broken,
}

impl<T> Parsed<RespReply<T>> {
    /// The same with another value.
    pub fn map<U>(self, other: impl FnOnce(T) -> U) -> Parsed<RespReply<U>> {
        match self {
            Self::Whole(RespReply::Fine(value), length) => {
                Parsed::Whole(RespReply::Fine(other(value)), length)
            }
            Self::Whole(RespReply::Error(text), length) => Parsed::Whole(RespReply::Error(text), length),
            Self::Partial => Parsed::Partial,
            Self::Broken => Parsed::Broken,
        }
    }
}

/// The answer to a command.
#[derive(Debug, PartialEq, Eq)]
pub enum RespReply<T> {
    /// As expected.
    Fine(T),
    /// An error; its first word is its code.
    Error(String),
}

/// Appends a command.
pub fn write_command(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    write_length(out, b'*', arguments.len());
    for argument in arguments {
        write_length(out, b'$', argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

fn write_length(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    if length < 10 {
        // Most are, and formatting costs as much as all the rest.
        out.push(b'0' + length as u8);
    } else {
        out.extend_from_slice(length.to_string().as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads an array of `N` bulk strings, any of which may be null.
pub fn read_array<const N: usize>(buffer: &[u8]) -> Parsed<RespReply<[Option<&[u8]>; N]>> {
    let mut values = [None; N];
    let mut at = match read_line(buffer, 0) {
        Line::Whole(b'*', text, next) if number(text) == Some(N as i64) => next,
        Line::Whole(b'-', text, next) => return Parsed::Whole(RespReply::Error(lossy(text)), next),
        Line::Whole(..) => return Parsed::Broken,
        Line::Partial => return partial(buffer),
    };
    for value in &mut values {
        match read_bulk(buffer, at) {
            Parsed::Whole(bulk, next) => (*value, at) = (bulk, next),
            Parsed::Partial => return partial(buffer),
            Parsed::Broken => return Parsed::Broken,
        }
    }
    Parsed::Whole(RespReply::Fine(values), at)
}

/// Reads a bulk string, which may be null.
pub fn read_value(buffer: &[u8]) -> Parsed<RespReply<Option<&[u8]>>> {
    if let Line::Whole(b'-', text, next) = read_line(buffer, 0) {
        return Parsed::Whole(RespReply::Error(lossy(text)), next);
    }
    match read_bulk(buffer, 0) {
        Parsed::Whole(bulk, next) => Parsed::Whole(RespReply::Fine(bulk), next),
        Parsed::Partial => partial(buffer),
        Parsed::Broken => Parsed::Broken,
    }
}

/// Reads the answer to a command of whose answer only counts that it is no error.
pub fn read_done(buffer: &[u8]) -> Parsed<RespReply<()>> {
    match read_line(buffer, 0) {
        Line::Whole(b'+' | b':', _, next) => Parsed::Whole(RespReply::Fine(()), next),
        Line::Whole(b'-', text, next) => Parsed::Whole(RespReply::Error(lossy(text)), next),
        Line::Whole(..) => Parsed::Broken,
        Line::Partial => partial(buffer),
    }
}

/// Reads an answer that is one text: a simple string, a number or a bulk string.
pub fn read_text(buffer: &[u8]) -> Parsed<RespReply<String>> {
    match read_line(buffer, 0) {
        Line::Whole(b'+' | b':', text, next) => Parsed::Whole(RespReply::Fine(lossy(text)), next),
        Line::Whole(b'-', text, next) => Parsed::Whole(RespReply::Error(lossy(text)), next),
        _ => read_value(buffer).map(|value| lossy(value.unwrap_or_default())),
    }
}

fn read_bulk(buffer: &[u8], at: usize) -> Parsed<Option<&[u8]>> {
    let (length, start) = match read_line(buffer, at) {
        Line::Whole(b'$', text, next) => (number(text), next),
        Line::Whole(..) => return Parsed::Broken,
        Line::Partial => return Parsed::Partial,
    };
    let length = match length {
        Some(-1) => return Parsed::Whole(None, start),
        Some(length) => match usize::try_from(length) {
            Ok(length) if length <= MAX_ANSWER_BYTES => length,
            _ => return Parsed::Broken,
        },
        None => return Parsed::Broken,
    };
    let end = start + length;
    match buffer.get(end..end + 2) {
        Some(b"\r\n") => Parsed::Whole(Some(&buffer[start..end]), end + 2),
        Some(_) => Parsed::Broken,
        None => Parsed::Partial,
    }
}

/// An answer that has not ended is waited for, but not for ever.
fn partial<T>(buffer: &[u8]) -> Parsed<T> {
    if buffer.len() > MAX_ANSWER_BYTES { Parsed::Broken } else { Parsed::Partial }
}

enum Line<'a> {
    /// Its kind, its text, and where the next one starts.
    Whole(u8, &'a [u8], usize),
    Partial,
}

fn read_line(buffer: &[u8], at: usize) -> Line<'_> {
    let Some((kind, rest)) = buffer.get(at..).and_then(<[u8]>::split_first) else { return Line::Partial };
    match rest.windows(2).position(|pair| pair == b"\r\n") {
        Some(end) => Line::Whole(*kind, &rest[..end], at + 1 + end + 2),
        None => Line::Partial,
    }
}

fn number(text: &[u8]) -> Option<i64> {
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
    fn commands_are_written_as_the_protocol_says() {
        let mut out = Vec::new();
        write_command(&mut out, &[b"GET", b"0123456789", b""]);
        assert_eq!(out, b"*3\r\n$3\r\nGET\r\n$10\r\n0123456789\r\n$0\r\n\r\n");
    }

    #[test]
    fn every_prefix_of_an_answer_is_partial_and_the_whole_is_whole() {
        let answer = b"*3\r\n$2\r\n\r\n\r\n$-1\r\n$0\r\n\r\n";
        for end in 0..answer.len() {
            assert_eq!(read_array::<3>(&answer[..end]), Parsed::Partial, "{end}");
        }
        let followed = [&answer[..], b"*3\r\n"].concat();
        let values: [Option<&[u8]>; 3] = [Some(b"\r\n"), None, Some(b"")];
        assert_eq!(read_array::<3>(&followed), Parsed::Whole(RespReply::Fine(values), answer.len()));
    }

    #[test]
    fn errors_are_answers_and_other_forms_are_broken() {
        let error = Parsed::Whole(RespReply::Error("LOADING soon".into()), 15);
        assert_eq!(read_array::<2>(b"-LOADING soon\r\n+"), error);
        for broken in [
            "*2\r\n",
            "*x\r\n",
            ":1\r\n",
            "*3\r\n:1\r\n",
            "*3\r\n$1\r\nabc",
            "*3\r\n$-2\r\n",
            "*3\r\n$99999\r\n",
        ] {
            assert_eq!(read_array::<3>(broken.as_bytes()), Parsed::Broken, "{broken:?}");
        }
        assert_eq!(read_done(b":0\r\n*"), Parsed::Whole(RespReply::Fine(()), 4));
        assert_eq!(read_done(b"-READONLY\r\n"), Parsed::Whole(RespReply::Error("READONLY".into()), 11));
        assert_eq!((read_done(b":0\r"), read_done(b"*1\r\n")), (Parsed::Partial, Parsed::Broken));
        assert_eq!(read_text(b"+OK\r\n"), Parsed::Whole(RespReply::Fine("OK".into()), 5));
        assert_eq!(read_text(b"$2\r\nhi\r\n"), Parsed::Whole(RespReply::Fine("hi".into()), 8));
        assert_eq!(read_text(&[b'+'; MAX_ANSWER_BYTES + 1]), Parsed::Broken);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read_array::<3>(&bytes), read_text(&bytes), read_done(&bytes));
        }

        #[test]
        fn nothing_panics_on_what_looks_right(text in r"[*$+\-:0-9\r\n]{0,60}") {
            let _ = (read_array::<1>(text.as_bytes()), read_text(text.as_bytes()));
        }
    }
}
