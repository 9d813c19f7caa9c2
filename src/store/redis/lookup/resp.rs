//! The few forms of RESP2 that look-ups need: commands out, and in the answers to them (Redis serialization
//! protocol specification). Answers are read in place; only what is kept is copied.

/// No answer to a look-up is longer; a server that sends more is not one of ours.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What was read at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// It, and how many bytes it took.
    Whole(T, usize),
    /// Its end has not come yet.
    Partial,
    /// Not what was expected: the connection is of no more use.
    Broken,
}

impl<T> Read<Answer<T>> {
    /// The same with another value.
    pub fn map<U>(self, other: impl FnOnce(T) -> U) -> Read<Answer<U>> {
        match self {
            Self::Whole(Answer::Fine(value), length) => Read::Whole(Answer::Fine(other(value)), length),
            Self::Whole(Answer::Error(text), length) => Read::Whole(Answer::Error(text), length),
            Self::Partial => Read::Partial,
            Self::Broken => Read::Broken,
        }
    }
}

/// The answer to a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<T> {
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
pub fn read_array<const N: usize>(buffer: &[u8]) -> Read<Answer<[Option<&[u8]>; N]>> {
    let mut values = [None; N];
    let mut at = match read_line(buffer, 0) {
        Line::Whole(b'*', text, next) if number(text) == Some(N as i64) => next,
        Line::Whole(b'-', text, next) => return Read::Whole(Answer::Error(lossy(text)), next),
        Line::Whole(..) => return Read::Broken,
        Line::Partial => return partial(buffer),
    };
    for value in &mut values {
        match read_bulk(buffer, at) {
            Read::Whole(bulk, next) => (*value, at) = (bulk, next),
            Read::Partial => return partial(buffer),
            Read::Broken => return Read::Broken,
        }
    }
    Read::Whole(Answer::Fine(values), at)
}

/// Reads a bulk string, which may be null.
pub fn read_value(buffer: &[u8]) -> Read<Answer<Option<&[u8]>>> {
    if let Line::Whole(b'-', text, next) = read_line(buffer, 0) {
        return Read::Whole(Answer::Error(lossy(text)), next);
    }
    match read_bulk(buffer, 0) {
        Read::Whole(bulk, next) => Read::Whole(Answer::Fine(bulk), next),
        Read::Partial => partial(buffer),
        Read::Broken => Read::Broken,
    }
}

/// Reads the answer to a command of whose answer only counts that it is no error.
pub fn read_done(buffer: &[u8]) -> Read<Answer<()>> {
    match read_line(buffer, 0) {
        Line::Whole(b'+' | b':', _, next) => Read::Whole(Answer::Fine(()), next),
        Line::Whole(b'-', text, next) => Read::Whole(Answer::Error(lossy(text)), next),
        Line::Whole(..) => Read::Broken,
        Line::Partial => partial(buffer),
    }
}

/// Reads an answer that is one text: a simple string, a number or a bulk string.
pub fn read_text(buffer: &[u8]) -> Read<Answer<String>> {
    match read_line(buffer, 0) {
        Line::Whole(b'+' | b':', text, next) => Read::Whole(Answer::Fine(lossy(text)), next),
        Line::Whole(b'-', text, next) => Read::Whole(Answer::Error(lossy(text)), next),
        _ => read_value(buffer).map(|value| lossy(value.unwrap_or_default())),
    }
}

fn read_bulk(buffer: &[u8], at: usize) -> Read<Option<&[u8]>> {
    let (length, start) = match read_line(buffer, at) {
        Line::Whole(b'$', text, next) => (number(text), next),
        Line::Whole(..) => return Read::Broken,
        Line::Partial => return Read::Partial,
    };
    let length = match length {
        Some(-1) => return Read::Whole(None, start),
        Some(length) => match usize::try_from(length) {
            Ok(length) if length <= MAX_ANSWER_BYTES => length,
            _ => return Read::Broken,
        },
        None => return Read::Broken,
    };
    let end = start + length;
    match buffer.get(end..end + 2) {
        Some(b"\r\n") => Read::Whole(Some(&buffer[start..end]), end + 2),
        Some(_) => Read::Broken,
        None => Read::Partial,
    }
}

/// An answer that has not ended is waited for, but not for ever.
fn partial<T>(buffer: &[u8]) -> Read<T> {
    if buffer.len() > MAX_ANSWER_BYTES { Read::Broken } else { Read::Partial }
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
            assert_eq!(read_array::<3>(&answer[..end]), Read::Partial, "{end}");
        }
        let followed = [&answer[..], b"*3\r\n"].concat();
        let values: [Option<&[u8]>; 3] = [Some(b"\r\n"), None, Some(b"")];
        assert_eq!(read_array::<3>(&followed), Read::Whole(Answer::Fine(values), answer.len()));
    }

    #[test]
    fn errors_are_answers_and_other_forms_are_broken() {
        let error = Read::Whole(Answer::Error("LOADING soon".into()), 15);
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
            assert_eq!(read_array::<3>(broken.as_bytes()), Read::Broken, "{broken:?}");
        }
        assert_eq!(read_done(b":0\r\n*"), Read::Whole(Answer::Fine(()), 4));
        assert_eq!(read_done(b"-READONLY\r\n"), Read::Whole(Answer::Error("READONLY".into()), 11));
        assert_eq!((read_done(b":0\r"), read_done(b"*1\r\n")), (Read::Partial, Read::Broken));
        assert_eq!(read_text(b"+OK\r\n"), Read::Whole(Answer::Fine("OK".into()), 5));
        assert_eq!(read_text(b"$2\r\nhi\r\n"), Read::Whole(Answer::Fine("hi".into()), 8));
        assert_eq!(read_text(&[b'+'; MAX_ANSWER_BYTES + 1]), Read::Broken);
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
