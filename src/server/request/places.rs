//! The places of a request where credentials may stand, from the settings.
//!
//! By default these are `Authorization: Bearer` and the token cookie. Everything else is behind an `Option`, so that it
//! costs a request of a server with the defaults one branch.

use hyper::header::HeaderName;

use super::auth_scheme::{after_scheme, bearer};
use super::cookie_value::CookieReader;
use crate::config::Config;
use crate::foreign::FormSet;
use crate::values::{CookieDecoding, HeaderScheme};

/// The places where credentials may stand.
#[derive(Clone, Debug)]
pub struct CredentialPlaces {
    /// The name of the header.
    pub(super) header: HeaderName,
    /// The schemes of the header. `None`: only `Bearer`, and only native token strings.
    schemes: Option<Box<[SchemePlace]>>,
    /// The name of the token cookie.
    pub(super) token_cookie: String,
    /// The cookies. `None`: only the token cookie, and only native token strings.
    pub(super) cookies: Option<Box<[CookiePlace]>>,
}

/// A scheme of the header.
#[derive(Clone, Debug)]
struct SchemePlace {
    scheme: HeaderScheme,
    forms: FormSet,
}

/// A cookie that may carry a token string.
#[derive(Clone, Debug)]
pub(super) struct CookiePlace {
    pub(super) name: String,
    pub(super) rank: Rank,
    pub(super) reader: CookieReader,
    pub(super) forms: FormSet,
}

/// Which cookies count first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// The token cookie and the further cookies.
    Native,
    /// The cookies of foreign forms: a browser that has logged in anew may still have the former system's cookie.
    Foreign,
}

impl CredentialPlaces {
    /// The places that the settings name.
    pub fn of(config: &Config) -> Self {
        let (schemes, cookies) = (schemes(config), cookies(config));
        let is_default = match &schemes[..] {
            [only] => only.scheme.is_like(&HeaderScheme::bearer()) && only.forms.is_empty(),
            _ => false,
        };
        let has_one_cookie = cookies.len() == 1 && cookies[0].forms.is_empty();
        Self {
            header: config.header_name.0.clone(),
            schemes: (!is_default).then(|| schemes.into()),
            token_cookie: config.cookie_name.clone(),
            cookies: (!has_one_cookie).then(|| cookies.into()),
        }
    }

    /// Returns the token string in a line of the header and the forms that it may have there, or `None` if the line has
    /// another scheme.
    #[inline]
    pub(super) fn in_header<'a>(&self, line: &'a [u8]) -> Option<(&'a [u8], FormSet)> {
        match &self.schemes {
            None => bearer(line).map(|token| (token, FormSet::NONE)),
            Some(schemes) => schemes.iter().find_map(|place| Some((place.in_line(line)?, place.forms))),
        }
    }

    /// Returns the cookies besides the token cookie.
    pub(super) fn other_cookies(&self) -> impl Iterator<Item = &CookiePlace> {
        let all = self.cookies.as_deref().unwrap_or_default();
        all.iter().filter(|place| place.name != self.token_cookie)
    }
}

impl SchemePlace {
    /// Returns the text after the scheme. A bare value has no space: a line with one has another scheme.
    fn in_line<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        match &self.scheme {
            HeaderScheme::Named(name) => after_scheme(name.as_bytes(), line),
            HeaderScheme::None => {
                let value = line.trim_ascii();
                let is_bare = !value.is_empty() && !value.iter().any(u8::is_ascii_whitespace);
                is_bare.then_some(value)
            }
        }
    }
}

/// Returns the schemes of the header, the bare value last: `Bearer` alone is that scheme without a token string.
fn schemes(config: &Config) -> Vec<SchemePlace> {
    let native = config.header_schemes.iter().map(|scheme| (scheme, FormSet::NONE));
    let foreign = config
        .foreign
        .iter()
        .enumerate()
        .flat_map(|(at, form)| form.header_schemes.iter().map(move |scheme| (scheme, FormSet::of(at))));
    let mut places: Vec<SchemePlace> = Vec::new();
    for (scheme, forms) in native.chain(foreign) {
        match places.iter_mut().find(|place| place.scheme.is_like(scheme)) {
            Some(place) => place.forms = place.forms.union(forms),
            None => places.push(SchemePlace { scheme: scheme.clone(), forms }),
        }
    }
    places.sort_by_key(|place| place.scheme == HeaderScheme::None);
    places
}

/// Returns the cookies, the token cookie first.
fn cookies(config: &Config) -> Vec<CookiePlace> {
    let place =
        |name: &str, rank, reader| CookiePlace { name: name.into(), rank, reader, forms: FormSet::NONE };
    let mut places =
        vec![place(&config.cookie_name, Rank::Native, CookieReader::new(CookieDecoding::Plain, &[]))];
    for cookie in &config.further_cookies {
        places.push(place(&cookie.name, Rank::Native, CookieReader::new(cookie.decoding, &cookie.secrets)));
    }
    for (at, form) in config.foreign.iter().enumerate() {
        for name in &form.cookies {
            let known = places.iter().position(|place| place.name == *name);
            let known = known.unwrap_or_else(|| {
                places.push(place(name, Rank::Foreign, CookieReader::new(CookieDecoding::Percent, &[])));
                places.len() - 1
            });
            // The token cookie, too: a native string has nothing to be decoded.
            places[known].reader = CookieReader::new(CookieDecoding::Percent, &[]);
            places[known].forms = places[known].forms.union(FormSet::of(at));
        }
    }
    places
}
