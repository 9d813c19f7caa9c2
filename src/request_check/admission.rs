//! The demands of a route.

use std::sync::Arc;

use super::refusal::ForbiddenReason;
use crate::model::route_check::RouteCheck;
use crate::model::token::TokenRecord;

/// The demands of a route on a request.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Whether a request without a valid token passes as the anonymous token.
    pub(super) is_optional: bool,
    pub(super) demand: Demand,
}

/// The demands of a route on a valid token.
#[derive(Clone, Debug)]
pub(super) enum Demand {
    Nothing,
    Check(Arc<RouteCheck>),
    /// Cannot be met: another site made the browser send the request.
    SameSite,
}

impl Admission {
    /// A valid token.
    pub const REQUIRED: Self = Self { is_optional: false, demand: Demand::Nothing };
    /// Nothing: without a valid token, the request passes as the anonymous token.
    pub const OPTIONAL: Self = Self { is_optional: true, demand: Demand::Nothing };

    /// A valid token that meets a route check. The check says whether other requests pass as the anonymous token.
    pub fn of_check(check: Arc<RouteCheck>) -> Self {
        Self { is_optional: check.anonymous, demand: Demand::Check(check) }
    }

    /// Returns why a valid token may not pass, or `None` if it may.
    pub(super) fn objection(&self, record: &TokenRecord, now_ms: u64) -> Option<ForbiddenReason> {
        match &self.demand {
            Demand::Nothing => None,
            Demand::Check(check) => (!check.is_met_by(record, now_ms)).then_some(ForbiddenReason::Check),
            Demand::SameSite => Some(ForbiddenReason::CrossSite),
        }
    }

    /// Whether a request that passes counts as access and renews its token.
    pub(super) fn renews(&self) -> bool {
        !matches!(&self.demand, Demand::Check(check) if !check.renew)
    }

    /// Whether a token that waits for its second factor passes as the anonymous token. It never passes as its user.
    pub(super) fn is_for_pending(&self) -> bool {
        let demands_it = matches!(&self.demand, Demand::Check(check) if check.second_factor);
        self.is_optional && !demands_it
    }
}
