//! Compares everything that both stores return.

use doorward::Token;
use doorward::internals::foreign::UuidDigest;
use proptest::prelude::*;

use super::values::*;
use super::world::World;
use crate::common::imports::digest_of;
use crate::common::store::TestStore;

impl World {
    /// Compares every cut-off, listing, token, record, device key, takeover and event.
    pub async fn compare(&self) -> Result<(), TestCaseError> {
        for user in USERS {
            self.compare_user(user).await?;
        }
        let [memory, redis] = [&self.memory, &self.redis].map(async |on| {
            let mut cutoffs = on.store.cutoffs().await.unwrap();
            cutoffs.sort_by_key(|cutoff| cutoff.name.clone());
            cutoffs
        });
        prop_assert_eq!(memory.await, redis.await, "the cut-offs");
        for uuid in UUIDS {
            let digest = UuidDigest::of(uuid);
            let memory = self.memory.store.foreign_devices(&digest, self.now_ms).await.unwrap();
            let redis = self.redis.store.foreign_devices(&digest, self.now_ms).await.unwrap();
            prop_assert_eq!(memory, redis, "the imported devices of {}", uuid);
        }
        for string in STRINGS {
            let digest = digest_of(string);
            let memory = self.memory.alias(&digest, self.now_ms).await;
            let redis = self.redis.alias(&digest, self.now_ms).await;
            prop_assert_eq!(memory, redis, "the alias of {}", string);
        }
        if self.lists_objects {
            self.compare_objects().await?;
        }
        for (number, token) in self.tokens.iter().enumerate() {
            self.compare_token(number, token).await?;
        }
        Ok(())
    }

    async fn compare_user(&self, user: &str) -> Result<(), TestCaseError> {
        let memory = self.memory.store.user_tokens(user, self.now_ms).await.unwrap();
        let redis = self.redis.store.user_tokens(user, self.now_ms).await.unwrap();
        prop_assert_eq!(memory, redis, "the listing of {}", user);
        let memory = self.memory.store.is_locked(user).await.unwrap();
        prop_assert_eq!(memory, self.redis.store.is_locked(user).await.unwrap(), "the lock of {}", user);
        let memory = self.memory.store.user_devices(user, self.now_ms).await.unwrap();
        let redis = self.redis.store.user_devices(user, self.now_ms).await.unwrap();
        prop_assert_eq!(memory, redis, "the devices of {}", user);
        let memory = self.memory.store.user_takeovers(user, self.now_ms).await.unwrap();
        let redis = self.redis.store.user_takeovers(user, self.now_ms).await.unwrap();
        prop_assert_eq!(memory, redis, "the takeovers of {}", user);
        prop_assert_eq!(
            self.events(&self.memory, user).await,
            self.events(&self.redis, user).await,
            "the events of {}",
            user
        );
        Ok(())
    }

    async fn compare_token(&self, number: usize, token: &Token) -> Result<(), TestCaseError> {
        let memory = self.memory.token(token, self.now_ms).await;
        prop_assert_eq!(memory, self.redis.token(token, self.now_ms).await, "token {}", number);
        let id = token.record.id;
        // After its latest expiry it may be kept or not: nothing can revive it.
        let record = async |on: &TestStore| {
            on.record(id).await.unwrap().filter(|record| self.now_ms < record.ends_at_ms)
        };
        let memory = record(&self.memory).await;
        prop_assert_eq!(memory, record(&self.redis).await, "record {}", number);
        let memory = self.memory.store.token_takeovers(id, self.now_ms).await.unwrap();
        let redis = self.redis.store.token_takeovers(id, self.now_ms).await.unwrap();
        prop_assert_eq!(memory, redis, "takeovers of token {}", number);
        Ok(())
    }

    pub async fn compare_objects(&self) -> Result<(), TestCaseError> {
        for n in 0..OBJECTS.len() {
            let memory = self.memory.store.object_tokens(&object(n), self.now_ms).await.unwrap();
            let redis = self.redis.store.object_tokens(&object(n), self.now_ms).await.unwrap();
            prop_assert_eq!(memory, redis, "the listing of object {}", n);
        }
        Ok(())
    }

    /// Sorted, because the changes of one step have no order.
    pub async fn events(&self, on: &TestStore, user: &str) -> Vec<String> {
        let events = on.store.user_events(user, self.now_ms).await.unwrap();
        let mut events: Vec<_> = events.iter().map(|event| format!("{event:?}")).collect();
        events.sort_unstable();
        events
    }
}
