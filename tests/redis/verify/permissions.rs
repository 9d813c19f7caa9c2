//! A run whose Redis user lacks a permission repairs some things and not others, and nothing by half.

use std::collections::BTreeSet;
use std::fs;

use doorward::internals::store::redis::verification::progress::VerifyProgress;

use super::kinds::damage_everything;
use super::support::*;
use crate::common::redis::RedisServer;
use crate::common::store::{MINUTE_MS, NOW_MS, TestStore};

/// The runs look when the entries are no longer young.
const LATER_MS: u64 = NOW_MS + 2 * MINUTE_MS;

/// Returns the commands in the source of the scripts of `doorward verify`.
fn commands_of_scripts() -> BTreeSet<String> {
    let folder = "src/store/redis/schema/lua";
    let mut names = BTreeSet::new();
    for folder in [folder.to_owned(), format!("{folder}/shared")] {
        for path in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if path.file_name().unwrap().to_string_lossy().starts_with("verif") {
                let source = fs::read_to_string(path).unwrap();
                let calls = source.split("call('").skip(1);
                names.extend(calls.map(|call| call.split('\'').next().unwrap().to_owned()));
            }
        }
    }
    names
}

#[tokio::test]
async fn the_next_run_finishes_a_repair_that_lacked_a_permission() {
    for command in commands_of_scripts() {
        let on = TestStore::owning(RedisServer::start()).await;
        let found = damage_everything(&on).await;
        on.age(LATER_MS - NOW_MS);
        on.server().set_user(&[&format!("-{command}")]);
        let report = on.redis().verify(REPAIRING, &VerifyProgress::default(), LATER_MS).await.unwrap();
        let incomplete = report.incomplete.concat();
        assert!(incomplete.contains("the redis user may not"), "{command}: {:?}", report.incomplete);
        assert!(incomplete.contains(&command), "{command}: {:?}", report.incomplete);

        on.server().set_user(&[&format!("+{command}")]);
        let mut left = found;
        left.retain(|kind, _| is_only_reported(kind));
        let repaired = verify(&on, REPAIRING, LATER_MS).await;
        assert_eq!(counts(&repaired, true), left, "{command}: {:#?}", repaired.findings);
        let again = verify(&on, DRY, LATER_MS).await;
        assert_eq!(counts(&again, false), left, "{command}: {:#?}", again.findings);
    }
}
