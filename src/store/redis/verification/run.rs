//! A run over all masters.

use std::collections::BTreeSet;

use redis::cmd;

use super::batch::KeyBatch;
use super::devices::DEVICE_MAPS;
use super::imported_devices::IMPORTED_DEVICES;
use super::indexes::INDEXES;
use super::link::MasterLink;
use super::progress::{VerifyOptions, VerifyProgress};
use super::report::VerificationReport;
use super::takeover_entries::{ACTING, TAKEN_OVER};
use super::verifier::Verifier;
use crate::store::error::StoreError;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::redis_store::RedisStore;

const INTERRUPTED: &str = "the run was stopped";
const MASTERS_CHANGED: &str = "the masters or their slots changed";

impl RedisStore {
    /// Compares all indexes with the records, and repairs them if the options say so. Works beside traffic.
    ///
    /// A master that cannot be read to the end does not end the run: the report says what is missing.
    ///
    /// # Errors
    /// `Unavailable` if no master can be reached.
    pub async fn verify(
        &self,
        options: VerifyOptions,
        progress: &VerifyProgress,
        now_ms: u64,
    ) -> Result<VerificationReport, StoreError> {
        let started_ms = self.node_cache.clock.boottime_ms();
        self.topology.refresh().await;
        let at_start = self.topology.map().clone();
        self.add_up_keys(progress).await?;
        let mut run = Verifier::new(self, options, progress, now_ms);
        let mut done = BTreeSet::new();
        while let Some(address) = self.next_master(&done) {
            run.report.masters.push(address.to_string());
            if let Err(error) = run.check_master(&address).await {
                run.report.add_incomplete(format!("{address}: {error}"));
            }
            done.insert(address);
            self.topology.refresh().await;
            if progress.is_stopped() {
                run.report.add_incomplete(INTERRUPTED.into());
                break;
            }
        }
        if !self.topology.map().is_same(&at_start) {
            run.report.add_incomplete(MASTERS_CHANGED.into());
        }
        run.report.duration =
            std::time::Duration::from_millis(self.node_cache.clock.boottime_ms() - started_ms);
        Ok(run.report)
    }

    /// Returns a master whose keys were not listed yet. After a failover, that is the new one.
    fn next_master(&self, done: &BTreeSet<ServerAddress>) -> Option<ServerAddress> {
        let map = self.topology.map();
        map.masters.iter().map(|master| &master.address).find(|address| !done.contains(address)).cloned()
    }

    /// Adds up the keys of all masters that answer.
    async fn add_up_keys(&self, progress: &VerifyProgress) -> Result<(), StoreError> {
        let masters = self.topology.map().masters.clone();
        let mut outcome = Err(StoreError::Unavailable(self.topology.why_unknown()));
        for master in &masters {
            let count = async {
                let link = MasterLink::open(&self.topology.connector, &master.address).await?;
                link.query::<u64>(&cmd("DBSIZE")).await
            };
            match count.await {
                Ok(keys) => {
                    progress.add_total(keys);
                    outcome = Ok(());
                }
                Err(error) if outcome.is_err() => outcome = Err(error),
                Err(_) => {}
            }
        }
        outcome
    }
}

impl Verifier<'_> {
    /// Lists the keys of a master, and checks them.
    async fn check_master(&mut self, address: &ServerAddress) -> Result<(), StoreError> {
        let link = MasterLink::open(&self.store.topology.connector, address).await?;
        let mut cursor = 0;
        while !self.progress.is_stopped() {
            let scan = cmd("SCAN").arg(cursor).arg("COUNT").arg(self.step()).to_owned();
            let (next, names): (u64, Vec<Vec<u8>>) = link.query(&scan).await?;
            let count = names.len();
            self.report.keys += count as u64;
            let batch = KeyBatch::of(&self.store.keys, names);
            if let Err(error) = self.check_batch(&link, batch).await {
                self.report.add_incomplete(format!("{address}: {error}"));
            }
            self.end_step(count).await;
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn check_batch(&mut self, link: &MasterLink, batch: KeyBatch) -> Result<(), StoreError> {
        self.check_tokens(link, &batch.tokens).await?;
        self.check_user_keys(link, &INDEXES, batch.indexes).await?;
        self.check_histories(link, &batch.takeovers).await?;
        self.check_user_keys(link, &TAKEN_OVER, batch.taken_over).await?;
        self.check_user_keys(link, &ACTING, batch.acting).await?;
        self.check_events(link, batch.events).await?;
        self.check_devices(link, &batch.devices).await?;
        self.check_user_keys(link, &DEVICE_MAPS, batch.device_maps).await?;
        self.check_user_keys(link, &IMPORTED_DEVICES, batch.imported_devices).await?;
        self.check_objects(link, batch.objects).await?;
        self.check_locks(link, batch.locks).await?;
        self.check_aliases(link, batch.aliases).await?;
        self.check_short_lived(link, &batch.short_lived).await?;
        self.check_permanent(link, &batch.permanent).await?;
        self.note_unknown(&batch.unknown);
        Ok(())
    }
}
