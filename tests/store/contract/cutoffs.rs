//! Cut-offs, and the walk over all tokens.

use std::collections::BTreeSet;

use doorward::internals::model::cutoff::{Cutoff, CutoffName, CutoffProgress, CutoffStep, MAX_CUTOFFS};
use doorward::internals::store::dispatch::cutoffs::WalkPlace;
use doorward::internals::store::{Outcome, Rejection};

use crate::common::store::{NOW_MS, StoreKind, TestStore};

each_store! {
    a_cutoff_moves_only_forward,
    the_number_of_cutoffs_is_bounded,
    only_steps_of_the_present_cutoff_count,
    one_walker_at_a_time_holds_the_walk,
    a_walk_sees_every_token,
}

fn name(text: &str) -> CutoffName {
    CutoffName::parse(text).unwrap()
}

async fn set(on: &TestStore, text: &str, before_ms: u64, now_ms: u64) -> Outcome<(Cutoff, bool)> {
    let set = on.store.set_cutoff(&name(text), before_ms, now_ms).await.unwrap();
    set.map(|set| (set.cutoff, set.is_new))
}

fn cutoff(text: &str, before_ms: u64, created_at_ms: u64) -> Cutoff {
    Cutoff { name: name(text), before_ms, created_at_ms, progress: CutoffProgress::default() }
}

fn step(text: &str, before_ms: u64, scanned: u64, revoked: u64, is_last: bool) -> CutoffStep {
    CutoffStep { name: name(text), before_ms, scanned, revoked, is_last }
}

async fn a_cutoff_moves_only_forward(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    assert_eq!(on.store.cutoffs().await.unwrap(), []);
    let first = cutoff("backend:a:b c", NOW_MS - 5, NOW_MS);
    assert_eq!(set(&on, "backend:a:b c", NOW_MS - 5, NOW_MS).await, Ok((first.clone(), true)));
    assert_eq!(set(&on, "backend:a:b c", NOW_MS - 5, NOW_MS + 1).await, Ok((first.clone(), false)));
    assert_eq!(set(&on, "backend:a:b c", NOW_MS - 6, NOW_MS + 1).await, Err(Rejection::CutoffIsLater));
    assert_eq!(on.store.cutoffs().await.unwrap(), [first]);
    let moved = cutoff("backend:a:b c", NOW_MS, NOW_MS + 2);
    assert_eq!(set(&on, "backend:a:b c", NOW_MS, NOW_MS + 2).await, Ok((moved.clone(), false)));
    assert_eq!(on.store.cutoffs().await.unwrap(), [moved]);
    assert!(!on.store.remove_cutoff(&name("all"), NOW_MS).await.unwrap());
    assert!(on.store.remove_cutoff(&name("backend:a:b c"), NOW_MS).await.unwrap());
    assert!(!on.store.remove_cutoff(&name("backend:a:b c"), NOW_MS).await.unwrap());
    assert_eq!(on.store.cutoffs().await.unwrap(), []);
}

async fn the_number_of_cutoffs_is_bounded(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    for n in 0..MAX_CUTOFFS {
        set(&on, &format!("slug:s-{n}"), NOW_MS - 1, NOW_MS).await.unwrap();
    }
    assert_eq!(set(&on, "all", NOW_MS, NOW_MS).await, Err(Rejection::TooManyCutoffs));
    assert!(set(&on, "slug:s-0", NOW_MS, NOW_MS).await.is_ok(), "it is there already");
    assert_eq!(on.store.cutoffs().await.unwrap().len(), MAX_CUTOFFS);
}

async fn only_steps_of_the_present_cutoff_count(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    set(&on, "all", NOW_MS - 5, NOW_MS).await.unwrap();
    set(&on, "slug:web", NOW_MS - 5, NOW_MS).await.unwrap();
    let hold = async |steps: &[CutoffStep]| {
        let mut held = on.store.hold_walk("walker", steps, NOW_MS + 7).await.unwrap().unwrap();
        held.sort_by_key(|cutoff| cutoff.name.clone());
        held.into_iter().map(|cutoff| cutoff.progress).collect::<Vec<_>>()
    };
    let progress = |scanned, revoked, finished_at_ms| CutoffProgress { scanned, revoked, finished_at_ms };
    let none = CutoffProgress::default();
    assert_eq!(hold(&[step("all", NOW_MS - 5, 10, 2, false)]).await, [progress(10, 2, None), none]);
    let steps = [step("all", NOW_MS - 5, 25, 3, true), step("slug:web", NOW_MS - 6, 9, 9, true)];
    assert_eq!(hold(&steps).await, [progress(25, 5, Some(NOW_MS + 7)), none], "slug:web was moved");
    assert!(hold(&[step("backend:x", NOW_MS, 1, 1, true)]).await.len() == 2, "it was removed");
    // A moved one starts again.
    set(&on, "all", NOW_MS, NOW_MS + 8).await.unwrap();
    assert_eq!(hold(&[]).await, [none, none]);
}

async fn one_walker_at_a_time_holds_the_walk(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    set(&on, "all", NOW_MS, NOW_MS).await.unwrap();
    let hold = async |walker: &str| on.store.hold_walk(walker, &[], NOW_MS).await.unwrap().is_some();
    assert!(hold("one").await && hold("one").await);
    // The embedded store has one node.
    assert_eq!(hold("other").await, kind == StoreKind::Memory);
    on.age(60_000);
    assert!(hold("other").await);
    assert_eq!(hold("one").await, kind == StoreKind::Memory);
}

async fn a_walk_sees_every_token(kind: StoreKind) {
    let on = TestStore::open(kind).await;
    let mut issued = BTreeSet::new();
    for n in 0..300 {
        issued.insert(on.issue(&format!("user-{n}"), NOW_MS + n).await.record.id);
    }
    let (mut place, mut seen) = (WalkPlace::default(), BTreeSet::new());
    loop {
        let page = on.store.walk_page(&mut place, 50).await.unwrap();
        seen.extend(page.tokens.iter().map(|record| record.id));
        if page.is_last {
            assert!(page.has_seen_all);
            break;
        }
    }
    assert!(issued.is_subset(&seen) && (kind != StoreKind::Memory || issued == seen));
    // As after a failure to report the last one.
    let again = on.store.walk_page(&mut place, 50).await.unwrap();
    assert!(again.is_last && again.has_seen_all && again.tokens.is_empty());
}
