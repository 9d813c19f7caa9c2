//! What a route demands of a request.

use super::refusal::Objection;
use crate::model::route_check::RouteCheck;
use crate::model::token::TokenRecord;
use std::sync::Arc;

/// Who may pass.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Whether a request without a valid token passes as the anonymous one.
    pub(crate) is_optional: bool,
    pub(crate) demand: Demand,
}

/// What is asked of a valid token.
#[derive(Clone, Debug)]
pub enum Demand {
    Nothing,
    Check(Arc<RouteCheck>),
    /// Nothing meets it: another site made the browser send the request.
    SameSite,
}

impl Admission {
    /// Only a valid token.
    pub const REQUIRED: Self = Self { is_optional: false, demand: Demand::Nothing };
    /// Everybody: without a valid token as the anonymous one.
    pub const OPTIONAL: Self = Self { is_optional: true, demand: Demand::Nothing };

    /// A valid token that meets a check; everybody else as the check has it.
    pub fn by(check: Arc<RouteCheck>) -> Self {
        Self { is_optional: check.anonymous, demand: Demand::Check(check) }
    }

    /// Returns why a valid token may not pass, or `None` if it may.
    pub(crate) fn objection(&self, record: &TokenRecord) -> Option<Objection> {
        match &self.demand {
            Demand::Nothing => None,
            Demand::Check(check) => (!check.is_met_by(record)).then_some(Objection::Check),
            Demand::SameSite => Some(Objection::CrossSite),
        }
    }

    /// Whether a token that waits for its second factor passes as the anonymous one; it never does as its user.
    pub(crate) fn is_for_pending(&self) -> bool {
        let asks = matches!(&self.demand, Demand::Check(check) if check.second_factor);
        self.is_optional && !asks
    }
}
