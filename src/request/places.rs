//! The places of a request where credentials may stand, from the settings.
//!
//! By default these are `Authorization: Bearer` and the token cookie. All others are behind one flag, so that a request
//! pays one load and one branch for them if none is configured.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use http::header::HeaderName;

use super::cookie_value::CookieReader;
use super::headers::after_scheme;
use crate::config::Config;
use crate::foreign::{ForeignForm, FormList, FormSet};
use crate::values::{CookieDecoding, HeaderScheme};

/// The places where credentials may stand. Clones share them; a reload replaces the places of foreign forms.
#[derive(Clone, Debug)]
pub struct CredentialPlaces {
    /// The name of the header.
    pub(super) header: HeaderName,
    /// The name of the token cookie.
    pub(super) token_cookie: String,
    more: Arc<Reloadable>,
}

#[derive(Debug)]
struct Reloadable {
    /// Whether there are more places than the default ones.
    is_any: AtomicBool,
    places: ArcSwap<MorePlaces>,
}

/// All schemes and cookies, the default ones included.
#[derive(Debug)]
pub(super) struct MorePlaces {
    schemes: Vec<SchemePlace>,
    /// The token cookie first.
    pub(super) cookies: Vec<CookiePlace>,
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
    /// The cookies of foreign forms: a browser that has logged in again may still have the former system's cookie.
    Foreign,
}

impl CredentialPlaces {
    /// The places that the settings name.
    pub fn of(config: &Config) -> Self {
        let more = MorePlaces::of(config);
        let more = Reloadable { is_any: more.is_any().into(), places: ArcSwap::from_pointee(more) };
        Self {
            header: config.header_name.0.clone(),
            token_cookie: config.cookie_name.clone(),
            more: Arc::new(more),
        }
    }

    /// Replaces the schemes and cookies, for the next request on every connection.
    pub fn replace(&self, config: &Config) {
        let more = MorePlaces::of(config);
        let is_any = more.is_any();
        self.more.places.store(Arc::new(more));
        self.more.is_any.store(is_any, Ordering::Relaxed);
    }

    /// Returns the name of the header that carries credentials.
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Returns the names of the cookies that may carry a token string.
    pub(super) fn cookie_names(&self) -> Vec<String> {
        match self.more() {
            None => vec![self.token_cookie.clone()],
            Some(more) => more.cookies.iter().map(|place| place.name.clone()).collect(),
        }
    }

    /// Returns the schemes and cookies, unless they are the default ones.
    #[inline]
    pub(super) fn more(&self) -> Option<impl Deref<Target = Arc<MorePlaces>>> {
        self.more.is_any.load(Ordering::Relaxed).then(|| self.more.places.load())
    }
}

impl MorePlaces {
    fn of(config: &Config) -> Self {
        Self { schemes: schemes(config), cookies: cookies(config) }
    }

    /// Whether these are not just `Bearer` and the token cookie, both for native strings only.
    fn is_any(&self) -> bool {
        let (MorePlaces { schemes, cookies }, bearer) = (self, HeaderScheme::bearer());
        match (&schemes[..], &cookies[..]) {
            ([scheme], [cookie]) => {
                !scheme.scheme.is_like(&bearer) || !scheme.forms.is_empty() || !cookie.forms.is_empty()
            }
            _ => true,
        }
    }

    /// Returns the token string in a line of the header and the forms that it may have there, or `None` if the line has
    /// another scheme.
    pub(super) fn in_header<'a>(&self, line: &'a [u8]) -> Option<(&'a [u8], FormSet)> {
        self.schemes.iter().find_map(|place| Some((place.in_line(line)?, place.forms)))
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

/// Returns the foreign forms, and the set of each.
fn forms(config: &Config) -> impl Iterator<Item = (&ForeignForm, FormSet)> {
    let list = FormList::of(&config.foreign);
    config.foreign.iter().enumerate().map(move |(at, form)| (form, FormSet::of(at).in_list(list)))
}

/// Returns the schemes of the header, the bare value last: `Bearer` alone is that scheme without a token string.
fn schemes(config: &Config) -> Vec<SchemePlace> {
    let native = config.header_schemes.iter().map(|scheme| (scheme, FormSet::NONE));
    let foreign =
        forms(config).flat_map(|(form, forms)| form.header_schemes.iter().map(move |scheme| (scheme, forms)));
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
    for (form, forms) in forms(config) {
        for name in &form.cookies {
            let known = places.iter().position(|place| place.name == *name);
            let known = known.unwrap_or_else(|| {
                places.push(place(name, Rank::Foreign, CookieReader::new(CookieDecoding::Percent, &[])));
                places.len() - 1
            });
            // The token cookie, too: a native string has nothing to be decoded.
            places[known].reader = CookieReader::new(CookieDecoding::Percent, &[]);
            places[known].forms = places[known].forms.union(forms);
        }
    }
    places
}
