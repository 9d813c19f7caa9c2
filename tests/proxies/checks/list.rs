//! The checks in their order, and how they run on a proxy.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{denial, identity, traffic};
use crate::proxies::site::Site;

type Check = fn(&mut Site);

/// The checks; those that stop Redis or Doorward come last.
const CHECKS: &[(&str, Check)] = &[
    ("the application learns who is there", identity::the_application_learns_who_is_there),
    ("a takeover shows both users", identity::a_takeover_shows_both_users),
    ("who has no valid token is denied", denial::who_has_no_valid_token_is_denied),
    ("an optional check lets everybody in", denial::an_optional_check_lets_everybody_in),
    ("forged identity never arrives", identity::forged_identity_never_arrives),
    ("aliases of the identity headers never arrive", identity::aliases_never_arrive),
    ("forged forwarding never arrives", identity::forged_forwarding_never_arrives),
    ("no header can be named away", identity::no_header_can_be_named_away),
    ("every method is checked", denial::every_method_is_checked),
    ("no path gets around the check", denial::no_path_gets_around_the_check),
    ("a sampled request is traced", traffic::a_sampled_request_is_traced),
    ("a request has one id", traffic::a_request_has_one_id),
    ("a body arrives whole and is not sent to Doorward", traffic::a_body_arrives_whole),
    ("many checks go over few connections", traffic::many_checks_go_over_few_connections),
    ("a revoked token is refused", denial::a_revoked_token_is_refused),
    ("a browser logs out", denial::a_browser_logs_out),
    ("a page of an allowed origin reads the session", denial::a_page_of_an_allowed_origin_reads_the_session),
    ("another site cannot use the cookie", denial::another_site_cannot_use_the_cookie),
    ("no store, no entry", traffic::no_store_no_entry),
    ("no Doorward, no entry", traffic::no_doorward_no_entry),
];

impl Site {
    /// Runs the whole list, also after a failed check. The checks are independent, but the last ones stop servers.
    pub fn pass_all_checks(mut self) {
        let mut failed = Vec::new();
        for (name, check) in CHECKS {
            self.app.take_requests();
            self.relay.take_sent();
            if catch_unwind(AssertUnwindSafe(|| check(&mut self))).is_err() {
                eprintln!("--- failed: {name}");
                failed.push(*name);
            }
        }
        assert!(failed.is_empty(), "failed: {failed:?}\n{}\n{}", self.proxy.log(), self.server.log());
    }
}
