//! Messages of Envoy's external authorization, encoded by the field numbers of Envoy's own definitions.

use bytes::Bytes;
use hyper::HeaderMap;

use crate::common::http2::Http2;
use crate::common::server::IDENTITY;

pub const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

pub const HEALTH: &str = "/grpc.health.v1.Health/Check";

pub const GRPC: (&str, &str) = ("DOORWARD_GRPC_LISTEN", "127.0.0.1:0");

/// Encodes a length-delimited field: bytes, a string or a message.
pub fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut length = content.len();
    let mut bytes = match number {
        0..16 => vec![number << 3 | 2],
        _ => unreachable!("one byte is enough for those used"),
    };
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

pub fn pair(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key), field(2, value)].concat()
}

pub fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a varint");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// The fields of a message: number, content, value.
#[derive(Debug)]
pub struct Fields(Vec<(u64, Vec<u8>, u64)>);

impl Fields {
    pub fn of(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            match tag & 7 {
                0 => fields.push((tag >> 3, Vec::new(), varint(&mut bytes))),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    let (content, rest) = bytes.split_at(length);
                    fields.push((tag >> 3, content.to_vec(), 0));
                    bytes = rest;
                }
                other => panic!("token_string type {other}"),
            }
        }
        Self(fields)
    }

    pub fn all(&self, number: u64) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |field| field.0 == number).map(|field| &*field.1)
    }

    pub fn message(&self, number: u64) -> Option<Fields> {
        self.all(number).next().map(Fields::of)
    }

    pub fn number(&self, number: u64) -> u64 {
        self.0.iter().find(|field| field.0 == number).map_or(0, |field| field.2)
    }

    pub fn text(&self, number: u64) -> String {
        String::from_utf8(self.all(number).next().unwrap_or_default().to_vec()).unwrap()
    }

    /// Returns the `HeaderValueOption`s; each must overwrite what the client sent.
    pub fn headers(&self) -> Vec<(String, String)> {
        let option = |option: &[u8]| {
            let option = Fields::of(option);
            assert_eq!(option.number(3), 2, "OVERWRITE_IF_EXISTS_OR_ADD");
            let header = option.message(1).unwrap();
            (header.text(1), header.text(2))
        };
        self.all(2).map(option).collect()
    }
}

/// The outcome of a check.
#[derive(Debug)]
pub enum Answer {
    Ok { headers: Vec<(String, String)>, to_remove: Vec<String> },
    Denied { status: u64, headers: Vec<(String, String)> },
}

impl Answer {
    pub fn identity(&self) -> [&str; 7] {
        let Self::Ok { headers, .. } = self else { panic!("{self:?}") };
        assert_eq!(headers.len(), IDENTITY.len(), "{headers:?}");
        let [first @ .., _, _] = IDENTITY.map(|name| {
            let mut values = headers.iter().filter(|(other, _)| *other == name.to_ascii_lowercase());
            &*values.next().expect(name).1
        });
        first
    }

    pub fn assert_denied(&self, expected: u64) {
        let Self::Denied { status, headers } = self else { panic!("{self:?}") };
        assert_eq!(*status, expected);
        let names = headers.iter().map(|(name, _)| &**name);
        let tells: Vec<_> =
            names.filter(|name| name.starts_with("x-auth-") || *name == "content-length").collect();
        assert_eq!(tells, if expected == 403 { &["x-auth-reason"][..] } else { &[] }, "{headers:?}");
        assert!(headers.contains(&("cache-control".into(), "no-store".into())), "{headers:?}");
        let value = |name: &str| headers.iter().find(|header| header.0 == name).map(|header| &*header.1);
        assert_eq!(value("www-authenticate").is_some(), expected == 401, "{headers:?}");
        assert_eq!(value("retry-after"), (expected == 503).then_some("1"));
    }
}

/// The attributes of a request to Envoy.
#[derive(Default)]
pub struct Request<'a> {
    pub method: &'a str,
    pub headers: Vec<(&'a str, &'a str)>,
    pub extensions: Vec<(&'a str, &'a str)>,
    pub source: &'a str,
    /// Encodes headers as Envoy does with `encode_raw_headers`.
    pub is_raw: bool,
}

impl Request<'_> {
    pub fn message(&self) -> Vec<u8> {
        let headers = self.headers.iter();
        let headers: Vec<u8> = if self.is_raw {
            let raw = headers.flat_map(|(name, value)| field(1, [field(1, name), field(3, value)].concat()));
            field(13, raw.collect::<Vec<_>>())
        } else {
            headers.flat_map(|(name, value)| field(3, pair(name, value.as_bytes()))).collect()
        };
        let method = if self.method.is_empty() { "GET" } else { self.method };
        let http = [
            field(1, "id"),
            field(2, method),
            headers,
            field(4, "/a?b"),
            field(5, "shop.example"),
            field(10, "HTTP/1.1"),
        ];
        let request = field(4, field(2, http.concat()));
        let address = field(1, [field(2, self.source), vec![0x18, 0x50]].concat());
        let source = field(1, field(1, address));
        let extension = |(name, value): &(&str, &str)| field(10, pair(name, value.as_bytes()));
        let extensions: Vec<u8> = self.extensions.iter().flat_map(extension).collect();
        // Doorward ignores these fields: destination, metadata_context.
        field(1, [source, field(2, ""), request, extensions, field(11, "")].concat())
    }
}

pub fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// Makes a call and returns the message of the answer and its status, from the trailers or the head.
pub fn call(client: &mut Http2, method: &str, body: Bytes) -> (Vec<u8>, u32) {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let pending = client.send("POST", method, &headers, Some(body)).unwrap();
    let (response, trailers): (_, HeaderMap) = client.receive(pending).unwrap();
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/grpc")));
    let in_head = response.header("grpc-status").map(str::to_owned);
    let status = trailers.get("grpc-status").map(|value| value.to_str().unwrap().to_owned());
    assert!(in_head.is_some() != status.is_some(), "{response:?} {trailers:?}");
    (response.body, status.or(in_head).unwrap().parse().unwrap())
}

pub fn check(client: &mut Http2, request: &Request) -> Answer {
    check_message(client, &request.message())
}

pub fn check_message(client: &mut Http2, message: &[u8]) -> Answer {
    let (body, status) = call(client, CHECK, framed(message));
    assert_eq!(status, 0);
    assert_eq!(framed(&body[5..]), body, "one whole message");
    let response = Fields::of(&body[5..]);
    let code = response.message(1).map_or(0, |status| status.number(1));
    match (response.message(2), response.message(3)) {
        (None, Some(ok)) => {
            assert_eq!(code, 0);
            let to_remove = ok.all(5).map(|name| String::from_utf8(name.to_vec()).unwrap()).collect();
            Answer::Ok { headers: ok.headers(), to_remove }
        }
        (Some(denied), None) => {
            assert_ne!(code, 0, "anything but OK denies");
            Answer::Denied { status: denied.message(1).unwrap().number(1), headers: denied.headers() }
        }
        both => panic!("{both:?}"),
    }
}
