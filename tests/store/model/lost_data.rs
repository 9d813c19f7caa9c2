//! A copy of the data, which takes its place later; and the messages that all nodes hear.

use std::time::Duration;

use redis::Value;

use crate::common::process::DEADLINE_MS;
use crate::common::redis::RedisServer;
use crate::common::store::{TestStore, raw_connection};

/// A key as it once was: name, TTL (ms) or 0, and the answer of `DUMP`.
type CopiedKey = (Vec<u8>, i64, Vec<u8>);

/// The keys of each master as they once were.
pub struct Copy(Vec<Vec<CopiedKey>>);

impl Copy {
    pub fn of(store: &TestStore) -> Self {
        const SCRIPT: &str = "local r = {} for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do \
            r[#r + 1] = { k, math.max(redis.call('PTTL', k), 0), redis.call('DUMP', k) } end return r";
        let copy = |master: &RedisServer| {
            let mut dump = redis::cmd("EVAL");
            dump.arg(SCRIPT).arg(0).arg(store.prefix()).query(&mut raw_connection(master)).unwrap()
        };
        Self(store.masters().map(copy).collect())
    }

    /// Replaces the data by the copy.
    pub fn restore(&self, store: &TestStore) {
        const REMOVE: &str = "for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do \
            redis.call('DEL', k) end";
        for (master, keys) in store.masters().zip(&self.0) {
            let mut connection = raw_connection(master);
            redis::cmd("EVAL").arg(REMOVE).arg(0).arg(store.prefix()).exec(&mut connection).unwrap();
            for (key, ttl_ms, dump) in keys {
                redis::cmd("RESTORE").arg(key).arg(ttl_ms).arg(dump).exec(&mut connection).unwrap();
            }
        }
    }
}

/// Subscribes to the messages that the nodes of a store hear.
pub fn subscribe<'a>(connection: &'a mut redis::Connection, store: &TestStore) -> redis::PubSub<'a> {
    connection.set_read_timeout(Some(Duration::from_millis(DEADLINE_MS))).unwrap();
    let mut messages = connection.as_pubsub();
    messages.psubscribe(format!("{}events*", store.prefix())).unwrap();
    messages
}

/// Returns the messages that were published since the subscription.
pub fn take_messages(messages: &mut redis::PubSub<'_>, store: &TestStore) -> Vec<Value> {
    let marker = format!("{}events:marker", store.prefix());
    // Each master's messages arrive in their order.
    let mut awaited = store.masters().count();
    for master in store.masters() {
        redis::cmd("PUBLISH").arg(&marker).arg("").exec(&mut raw_connection(master)).unwrap();
    }
    let mut taken = Vec::new();
    while awaited > 0 {
        let message = messages.get_message().unwrap();
        if message.get_channel_name() == marker {
            awaited -= 1;
        } else {
            taken.push(Value::BulkString(message.get_payload_bytes().to_vec()));
        }
    }
    taken
}
