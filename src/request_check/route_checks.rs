//! The route checks by name, replaced by a reload.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::model::route_check::RouteCheck;

/// The route checks by name. Clones share them.
///
/// Only a request to `/check` looks here, and only reads: `ArcSwap::load` writes to memory of its thread alone.
#[derive(Clone, Debug, Default)]
pub struct RouteChecks(Arc<ArcSwap<ChecksByName>>);

type ChecksByName = HashMap<String, Arc<RouteCheck>>;

impl RouteChecks {
    /// Makes the set of these checks.
    pub fn new(checks: &[RouteCheck]) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(by_name(checks))))
    }

    /// Returns the check with this name.
    pub fn get(&self, name: &str) -> Option<Arc<RouteCheck>> {
        self.0.load().get(name).cloned()
    }

    /// Replaces all checks, for the next request on every connection.
    pub fn replace(&self, checks: &[RouteCheck]) {
        self.0.store(Arc::new(by_name(checks)));
    }
}

fn by_name(checks: &[RouteCheck]) -> ChecksByName {
    checks.iter().map(|check| (check.name.clone(), Arc::new(check.clone()))).collect()
}
