//! The budget for look-ups of aliases.
//!
//! A token bucket: a look-up takes a permit for each digest of its string, and gives them back if it finds an alias or the
//! store fails. So only strings without an alias cost something, and look-ups under way are bounded.
//!
//! A made-up string looks like the string of a user whom this node has not seen; only the client address may differ. So half
//! of the bucket is kept for addresses that have lately sent few unknown strings. A flood from other addresses cannot take
//! that half: while it is not full, they get nothing of what is refilled either.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Each address has one counter in each row, and the smaller one counts: with a single row, one address in so many would
/// share its counter with a flood.
const ROWS: usize = 2;
/// The counters of a row.
const ROW_COUNTERS: usize = 4096;
/// The unknown strings of an address within a window that leave it the whole bucket.
const FREE_PER_CLIENT: u32 = 20;
/// The length of a window.
const WINDOW_MS: u64 = 10_000;
const MILLI: u64 = 1000;

/// The budget of a node, shared by its threads. Only look-ups of aliases use it.
pub(crate) struct AliasBudget {
    per_second: u64,
    state: Mutex<BudgetState>,
    hasher: RandomState,
}

struct BudgetState {
    /// Thousandths of a permit.
    level: u64,
    filled_at_ms: u64,
    rows: [Box<[ClientCount]>; ROWS],
}

/// The unknown strings of the addresses of one counter.
#[derive(Clone, Copy, Default)]
struct ClientCount {
    window: u64,
    unknown: u32,
}

/// The counters of an address: the place in each row.
type Client = [usize; ROWS];

/// The permits of one look-up.
#[derive(Debug)]
pub(crate) struct Permits {
    count: u64,
    client: Client,
    window: u64,
}

impl AliasBudget {
    /// A full budget of so many look-ups a second, and as many at once.
    pub(crate) fn new(per_second: u32) -> Self {
        let rows = std::array::from_fn(|_| vec![ClientCount::default(); ROW_COUNTERS].into_boxed_slice());
        let per_second = u64::from(per_second);
        let state = BudgetState { level: per_second * MILLI, filled_at_ms: 0, rows };
        Self { per_second, state: Mutex::new(state), hasher: RandomState::new() }
    }

    /// Takes permits for the digests of one string; `None` if the budget is used up.
    pub(crate) fn take(&self, digests: usize, client: Option<IpAddr>, boottime_ms: u64) -> Option<Permits> {
        let full = self.per_second * MILLI;
        // No string costs more than a quarter of the bucket, however many forms it fits.
        let count = (digests as u64).clamp(1, (self.per_second / 4).max(1));
        let (client, window) = (self.client(client), boottime_ms / WINDOW_MS);
        let mut state = self.state();
        let passed_ms = boottime_ms.saturating_sub(state.filled_at_ms);
        state.filled_at_ms = state.filled_at_ms.max(boottime_ms);
        state.level = state.level.saturating_add(passed_ms.saturating_mul(self.per_second)).min(full);
        let of_row =
            state.counters(client).map(|counter| if counter.window == window { counter.unknown } else { 0 });
        let unknown = of_row.min().unwrap_or_default();
        let reserve = if unknown < FREE_PER_CLIENT { 0 } else { full / 2 };
        state.level = state.level.checked_sub(count * MILLI).filter(|left| *left >= reserve)?;
        for counter in state.counters(client) {
            let unknown = if counter.window == window { counter.unknown } else { 0 };
            *counter = ClientCount { window, unknown: unknown.saturating_add(1) };
        }
        Some(Permits { count, client, window })
    }

    /// Gives the permits of a look-up back that found an alias, or failed.
    pub(crate) fn give_back(&self, permits: Permits) {
        let mut state = self.state();
        state.level = (state.level + permits.count * MILLI).min(self.per_second * MILLI);
        for counter in state.counters(permits.client).filter(|counter| counter.window == permits.window) {
            counter.unknown = counter.unknown.saturating_sub(1);
        }
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the counters of an address. The addresses of one IPv6 network share them, because a client may use all of
    /// these.
    fn client(&self, address: Option<IpAddr>) -> Client {
        let network = address.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        });
        let hash = self.hasher.hash_one(network) as usize;
        [hash % ROW_COUNTERS, hash / ROW_COUNTERS % ROW_COUNTERS]
    }
}

impl BudgetState {
    fn counters(&mut self, client: Client) -> impl Iterator<Item = &mut ClientCount> {
        self.rows.iter_mut().zip(client).filter_map(|(row, place)| row.get_mut(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));

    /// An address with another counter than [`FLOOD`].
    fn other(budget: &AliasBudget) -> Option<IpAddr> {
        let addresses = (0..).map(|n: u32| Some(IpAddr::from(n.to_be_bytes())));
        addresses.into_iter().find(|address| budget.client(*address) != budget.client(FLOOD)).unwrap()
    }

    fn taken(budget: &AliasBudget, client: Option<IpAddr>, tries: usize, boottime_ms: u64) -> usize {
        (0..tries).filter(|_| budget.take(1, client, boottime_ms).is_some()).count()
    }

    #[test]
    fn a_flood_of_one_address_leaves_half_to_the_others() {
        let budget = AliasBudget::new(1000);
        assert_eq!(taken(&budget, FLOOD, 10_000, 0), 500);
        assert_eq!(taken(&budget, FLOOD, 10_000, 100), 100, "what was refilled");
        assert_eq!(taken(&budget, other(&budget), 20, 100), 20);
        assert_eq!(taken(&budget, FLOOD, 10_000, 120), 0, "the reserve is filled first");
        assert_eq!(taken(&budget, FLOOD, 10_000, 121), 1);
    }

    #[test]
    fn found_aliases_cost_nothing() {
        let budget = AliasBudget::new(100);
        for _ in 0..10_000 {
            let permits = budget.take(3, FLOOD, 0).unwrap();
            budget.give_back(permits);
        }
        let under_way: Vec<_> = (0..1000).map_while(|_| budget.take(1, FLOOD, 0)).collect();
        assert_eq!(under_way.len(), 50);
    }

    #[test]
    fn an_address_is_forgiven_in_a_later_window() {
        let budget = AliasBudget::new(1000);
        taken(&budget, FLOOD, 10_000, 0);
        assert_eq!(taken(&budget, FLOOD, 10_000, WINDOW_MS), 500);
        assert_eq!(budget.take(1, other(&budget), WINDOW_MS).map(|permits| permits.count), Some(1));
    }

    #[test]
    fn the_smallest_budget_lets_a_string_of_many_forms_through() {
        let budget = AliasBudget::new(10);
        assert_eq!(budget.take(256, FLOOD, 0).map(|permits| permits.count), Some(2));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_counter() {
        let budget = AliasBudget::new(10);
        let client = |text: &str| budget.client(Some(text.parse().unwrap()));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
    }
}
