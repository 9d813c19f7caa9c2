//! The tests that need no other program.

/// Makes a module of each behaviour, an `async fn(StoreKind)`, with a test on the embedded store.
macro_rules! each_store {
    ($($behaviour:ident,)*) => {
        $(mod $behaviour {
            #[tokio::test]
            async fn memory() {
                super::$behaviour(crate::common::store::StoreKind::Memory).await;
            }
        })*
    };
}

#[path = "../common/mod.rs"]
mod common;
mod load_generator;
mod near_cache;
mod proxies_page;
#[path = "../integration/store/contract/mod.rs"]
mod store_contract;
#[path = "../integration/store/races.rs"]
mod store_races;

#[test]
#[ignore = "Not run: the tests that need Redis, proxies and other programs. scripts/test runs all."]
fn integration() {}
