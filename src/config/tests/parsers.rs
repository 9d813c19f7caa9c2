//! No text makes a parser panic.

use proptest::prelude::*;

use crate::config::parse::api_keys::{admin_key, api_keys, token_keys};
use crate::config::parse::cookie::{cookie_domain, cookie_name, cookie_path, same_site};
use crate::config::parse::duration::{duration_ms, renewal_step};
use crate::config::parse::listener::{file_mode, listen_addr, optional_path};
use crate::config::parse::origins::{header_name, origins, trusted_proxies};
use crate::config::parse::route_checks::route_checks;
use crate::config::parse::scalar::{boolean, number};
use crate::config::parse::store::{key_prefix, store_url};

fn call_every_parser(text: &str) {
    let _ = number(0..=u64::MAX)(text);
    let _ = boolean(text);
    let _ = duration_ms(0..=u64::MAX)(text);
    let _ = renewal_step(text);
    let _ = listen_addr(text);
    let _ = file_mode(text);
    let _ = optional_path(text);
    let _ = store_url(text);
    let _ = key_prefix(text);
    let _ = cookie_name(text);
    let _ = cookie_domain(text);
    let _ = cookie_path(text);
    let _ = same_site(text);
    let _ = header_name(text);
    let _ = origins(text);
    let _ = trusted_proxies(text);
    let _ = admin_key(text);
    let _ = api_keys(text);
    let _ = token_keys(text);
    let _ = route_checks(text);
}

proptest! {
    #[test]
    fn no_text_panics_a_parser(text in ".*") {
        call_every_parser(&text);
    }

    /// Texts similar to valid ones, which get further into the parsers.
    #[test]
    fn no_nearly_valid_text_panics_a_parser(
        start in "(|unix:|0\\.|https?://|rediss?://|redis\\+(unix|cluster|sentinel)://|a:all:)",
        rest in "[a0-9é%@:/,\\[\\]?=&#+.\\-dms]{0,40}",
    ) {
        call_every_parser(&format!("{start}{rest}"));
    }
}
