//! The operations of random histories.

use doorward::TokenChange;
use doorward::internals::model::revoke_reason::RevokeReason;
use proptest::prelude::*;

use super::values::{CUTOFFS, OBJECTS, STRINGS, USERS, UUIDS};
use crate::common::store::MINUTE_MS;

/// The operations. All times are whole minutes, so the manual clock hits every deadline exactly. And no TTL, which
/// Redis counts in real time, is shorter than a case takes.
#[derive(Clone, Debug)]
pub enum Op {
    Issue {
        user: usize,
        idle_min: u64,
        lifetime_min: u64,
        is_authenticated: bool,
        objects: Vec<usize>,
    },
    /// Imports one of a few foreign strings.
    Import {
        user: usize,
        string: usize,
        idle_min: u64,
        lifetime_min: u64,
        objects: Vec<usize>,
        is_dry: bool,
    },
    /// Accesses some minutes ago, written in one batch now.
    Touch(Vec<Access>),
    Change {
        token: usize,
        change: TokenChange,
    },
    EndUser {
        user: usize,
        except: Option<usize>,
    },
    EraseUser {
        user: usize,
    },
    Lock {
        user: usize,
        is_locked: bool,
    },
    Relate {
        token: usize,
        object: usize,
        /// Removes an object from a token.
        undo: bool,
    },
    EndObject {
        object: usize,
    },
    /// Concurrent rotations by several tabs, with a grace.
    Rotate {
        token: usize,
        grace_min: u64,
        tabs: usize,
    },
    /// A secret that a token once had: 0 is the first, wrapping around.
    Present {
        token: usize,
        secret: usize,
    },
    TakeOver {
        token: usize,
        user: usize,
        minutes: u64,
    },
    EndTakeover {
        token: usize,
    },
    Device(DeviceOp),
    Cutoff(CutoffOp),
    AdvanceMin(u64),
}

/// The operations on cut-offs, each on one of `CUTOFFS`.
#[derive(Clone, Debug)]
pub enum CutoffOp {
    Set {
        name: usize,
        ago_min: u64,
    },
    Remove {
        name: usize,
    },
    /// A step of the walk, for a time that the cut-off may have.
    Step {
        name: usize,
        ago_min: u64,
        scanned: u64,
        revoked: u64,
        is_last: bool,
    },
}

/// The operations on device keys, which are numbered as tokens are.
#[derive(Clone, Debug)]
pub enum DeviceOp {
    Make {
        user: usize,
        uuid: usize,
        idle_min: u64,
    },
    Change {
        device: usize,
        is_active: Option<bool>,
        name: Option<Option<String>>,
    },
    Rotate {
        device: usize,
    },
    Remove {
        device: usize,
    },
    /// Imports a key whose login token is always the same.
    Import {
        user: usize,
        uuid: usize,
        idle_min: u64,
        is_dry: bool,
    },
    /// `verifies`: of an imported key, the node has verified the login token by the imported hash.
    LogIn {
        device: usize,
        uuid: Option<usize>,
        idle_min: u64,
        verifies: bool,
    },
}

/// Tokens are counted back from the newest, which is 1, wrapping around; 0 is an unknown one.
#[derive(Clone, Debug)]
pub struct Access {
    pub token: usize,
    pub ago_min: u64,
    pub renews: bool,
    /// How long before it the first unwritten access was.
    pub chain_min: u64,
}

pub fn op() -> impl Strategy<Value = Op> {
    let minutes = prop_oneof![1..5_u64, 30..150_u64];
    let objects = prop::sample::subsequence((0..OBJECTS.len()).collect::<Vec<_>>(), 0..=OBJECTS.len());
    let lifetime = prop_oneof![1 => 1..5_u64, 4 => 30..150_u64];
    prop_oneof![
        4 => (user(), minutes.clone(), lifetime, prop::bool::weighted(0.8), objects).prop_map(
            |(user, idle_min, lifetime_min, is_authenticated, objects)| Op::Issue {
                user,
                idle_min,
                lifetime_min,
                is_authenticated,
                objects,
            }
        ),
        3 => import(),
        4 => prop::collection::vec(access(), 1..4).prop_map(Op::Touch),
        3 => (some(), change()).prop_map(|(token, change)| Op::Change { token, change }),
        1 => (user(), prop::option::of(some()))
            .prop_map(|(user, except)| Op::EndUser { user, except }),
        1 => user().prop_map(|user| Op::EraseUser { user }),
        2 => (user(), any::<bool>()).prop_map(|(user, is_locked)| Op::Lock { user, is_locked }),
        2 => (some(), 0..OBJECTS.len(), prop::bool::weighted(0.3))
            .prop_map(|(token, object, undo)| Op::Relate { token, object, undo }),
        1 => (0..OBJECTS.len()).prop_map(|object| Op::EndObject { object }),
        3 => (some(), 0..3_u64, prop_oneof![2 => Just(1_usize), 1 => 2..=4_usize])
            .prop_map(|(token, grace_min, tabs)| Op::Rotate { token, grace_min, tabs }),
        3 => (some(), 0..8_usize).prop_map(|(token, secret)| Op::Present { token, secret }),
        2 => (some(), user(), minutes.clone())
            .prop_map(|(token, user, minutes)| Op::TakeOver { token, user, minutes }),
        1 => (some()).prop_map(|token| Op::EndTakeover { token }),
        4 => device_op(minutes).prop_map(Op::Device),
        2 => cutoff_op().prop_map(Op::Cutoff),
        4 => prop_oneof![3 => 1..5_u64, 1 => Just(60_u64), 1 => 30..150_u64].prop_map(Op::AdvanceMin),
    ]
}

/// Mostly for the first user, so that strings are imported again, and for another user.
fn import() -> impl Strategy<Value = Op> {
    let objects = prop::sample::subsequence((0..OBJECTS.len()).collect::<Vec<_>>(), 0..=OBJECTS.len());
    let lifetime = prop_oneof![1 => 1..5_u64, 4 => 30..150_u64];
    (user(), 0..STRINGS.len(), 1..150_u64, lifetime, objects, prop::bool::weighted(0.1)).prop_map(
        |(user, string, idle_min, lifetime_min, objects, is_dry)| Op::Import {
            user,
            string,
            idle_min,
            lifetime_min,
            objects,
            is_dry,
        },
    )
}

/// The number of a token or device key: mostly a new one, so that many operations use it before it expires.
fn some() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 1..4_usize, 1 => 0..12_usize]
}

/// Mostly the same one, so that many operations use few values.
fn user() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0), 1 => 0..USERS.len()]
}

fn device_op(minutes: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = DeviceOp> {
    let name = prop::option::of(prop::option::of("[=-]{0,1}[a-z]{1,2}"));
    prop_oneof![
        3 => (user(), 0..UUIDS.len(), minutes.clone())
            .prop_map(|(user, uuid, idle_min)| DeviceOp::Make { user, uuid, idle_min }),
        2 => (some(), any::<Option<bool>>(), name)
            .prop_map(|(device, is_active, name)| DeviceOp::Change { device, is_active, name }),
        1 => (some()).prop_map(|device| DeviceOp::Rotate { device }),
        1 => (some()).prop_map(|device| DeviceOp::Remove { device }),
        3 => (user(), 0..UUIDS.len(), minutes.clone(), prop::bool::weighted(0.1))
            .prop_map(|(user, uuid, idle_min, is_dry)| DeviceOp::Import { user, uuid, idle_min, is_dry }),
        4 => (some(), prop::option::weighted(0.1, 0..UUIDS.len()), minutes, prop::bool::weighted(0.7)).prop_map(
            |(device, uuid, idle_min, verifies)| DeviceOp::LogIn { device, uuid, idle_min, verifies }
        ),
    ]
}

fn cutoff_op() -> impl Strategy<Value = CutoffOp> {
    let (name, ago_min) = (0..CUTOFFS.len(), 0..3_u64);
    prop_oneof![
        2 => (name.clone(), ago_min.clone()).prop_map(|(name, ago_min)| CutoffOp::Set { name, ago_min }),
        1 => name.clone().prop_map(|name| CutoffOp::Remove { name }),
        2 => (name, ago_min, 0..9_u64, 0..9_u64, any::<bool>()).prop_map(
            |(name, ago_min, scanned, revoked, is_last)| CutoffOp::Step { name, ago_min, scanned, revoked, is_last }
        ),
    ]
}

fn access() -> impl Strategy<Value = Access> {
    let chain = prop_oneof![2 => Just(0_u64), 1 => 1..90_u64];
    (some(), prop_oneof![2 => Just(0_u64), 1 => 0..90_u64], any::<bool>(), chain)
        .prop_map(|(token, ago_min, renews, chain_min)| Access { token, ago_min, renews, chain_min })
}

fn minutes(minutes: u64) -> u64 {
    minutes * MINUTE_MS
}

fn change() -> impl Strategy<Value = TokenChange> {
    let slug = prop::option::of(prop::option::of("[a-z_-]{1,3}"));
    let time = || prop::option::weighted(0.3, prop_oneof![1..5_u64, 30..150_u64].prop_map(minutes));
    let flags = (any::<Option<bool>>(), any::<Option<bool>>());
    (slug, flags, time(), time(), any::<bool>(), prop::bool::weighted(0.3)).prop_map(
        |(auth_slug, (allowed_cookie, allowed_header), idle_ms, lifetime_ms, confirm, end)| TokenChange {
            auth_slug,
            allowed_cookie,
            allowed_header,
            idle_ms,
            lifetime_ms,
            confirm,
            revoke: end.then_some(RevokeReason::Ended),
            ..TokenChange::default()
        },
    )
}
