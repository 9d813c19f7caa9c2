//! Fills a Redis with live tokens by raw pipelined writes, as many logins would, for measurements of a store of that size:
//!
//! ```sh
//! cargo run --release --example fill -- redis://127.0.0.1:6379 1000000
//! ```
//!
//! Each user has four tokens and an event of each; every tenth token names a related object. `doorward verify` finds nothing
//! wrong with them.

use std::sync::Arc;

use doorward::Token;
use doorward::internals::model::token::{RelatedObject, Texts, TokenDetails};
use doorward::internals::store::redis::schema::codec::token::record::fields_of;
use doorward::internals::store::redis::schema::keys::{Keys, SCHEMA_VERSION};
use doorward::internals::token_string::{self, TokenKeys, TokenKind};
use doorward::system::{Clock, Entropy};
use doorward::token::TokenRecord;
use redis::{Commands as _, Connection, Pipeline};
use serde::Serialize;

const TOKENS_PER_USER: u64 = 4;
const USERS_PER_PIPELINE: u64 = 250;
const TOKENS_PER_OBJECT: u64 = 100;
const HOUR_MS: u64 = 3_600_000;
const IDLE_MS: u64 = 24 * HOUR_MS;
const LIFETIME_MS: u64 = 30 * 24 * HOUR_MS;
const EVENT_MS: u64 = 7 * 24 * HOUR_MS;
/// The offset of a creation time in a user's index.
const OLDEST: i64 = -(1 << 51);
/// The factor of the seconds in the score of an object's entry.
const CYCLE_S: u64 = 1 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(count)) = (args.next(), args.next()) else {
        return Err("usage: fill REDIS-URL TOKENS".into());
    };
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let filling = Filling {
        keys: Keys::new("dw:"),
        token_keys: TokenKeys::from_secrets(["a token key of the measurements"]).ok_or("no token key")?,
        entropy: Entropy::system(),
        now_ms: Clock::system().now_ms(),
    };
    connection.set::<_, _, ()>(filling.keys.schema(), SCHEMA_VERSION)?;
    let users = count.parse::<u64>()? / TOKENS_PER_USER;
    for first in (0..users).step_by(USERS_PER_PIPELINE as usize) {
        filling.write_users(first..users.min(first + USERS_PER_PIPELINE), &mut connection)?;
    }
    Ok(())
}

/// An event as it is stored.
#[derive(Serialize)]
struct Event<'a> {
    k: &'static str,
    t: u64,
    a: &'static str,
    l: &'a str,
}

struct Filling {
    keys: Keys,
    token_keys: TokenKeys,
    entropy: Entropy,
    now_ms: u64,
}

impl Filling {
    fn write_users(
        &self,
        users: std::ops::Range<u64>,
        connection: &mut Connection,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut pipeline = Pipeline::new();
        for number in users {
            let user = format!("user-{number}");
            for n in 0..TOKENS_PER_USER {
                let at = number * TOKENS_PER_USER + n;
                let token = self.token(&user, at)?;
                self.write(&token, &mut pipeline);
            }
            self.expire(&self.keys.index(&user), IDLE_MS, &mut pipeline);
            self.expire(&self.keys.events(&user), EVENT_MS, &mut pipeline);
        }
        Ok(pipeline.query(connection)?)
    }

    /// Returns a token that was issued just now. Every tenth names an object.
    fn token(&self, user: &str, number: u64) -> Result<Token, Box<dyn std::error::Error>> {
        let minted = token_string::mint(TokenKind::Session, &self.token_keys, user, &self.entropy)?;
        let created_at_ms = self.now_ms;
        let object = number.is_multiple_of(10).then(|| RelatedObject {
            content_type: "measurement".into(),
            object_id: (number / 10 / TOKENS_PER_OBJECT).to_string(),
        });
        let texts = Texts::new(user, None, None, None);
        let ends_at_ms = created_at_ms + LIFETIME_MS;
        let record = TokenRecord::issued(minted.id, minted.hash, texts, created_at_ms, IDLE_MS, ends_at_ms);
        let details = TokenDetails {
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
            ip: [203, 0, 113, 7].into(),
            expiration: true,
            related_objects: object.into_iter().collect(),
            origin: None,
        };
        let (record, details) = (Arc::new(record), Arc::new(details));
        Ok(Token { record, details, last_access_ms: created_at_ms, revoked: None })
    }

    /// Lets a key expire so long after the start, because that is when all tokens were issued.
    fn expire(&self, key: &str, after_ms: u64, pipeline: &mut Pipeline) {
        pipeline.pexpire_at(key, (self.now_ms + after_ms) as i64).ignore();
    }

    fn write(&self, token: &Token, pipeline: &mut Pipeline) {
        let (id, user) = (token.record.id, token.record.user());
        let (key, index, locator) = (self.keys.token(id), self.keys.index(user), id.locator());
        let created_at_ms = token.record.created_at_ms;
        pipeline.hset_multiple(&key, &fields_of(token)).ignore();
        self.expire(&key, IDLE_MS, pipeline);
        pipeline.zadd(&index, &locator, token.record.expires_at_ms).ignore();
        pipeline.zadd(&index, format!("@{locator}"), -(created_at_ms as i64)).ignore();
        pipeline.zadd(&index, format!("#{locator}"), OLDEST + created_at_ms as i64).ignore();
        let event = Event { k: "token.issued", t: created_at_ms, a: "doorward", l: &locator };
        let packed = rmp_serde::to_vec_named(&event).unwrap_or_default();
        pipeline.lpush(self.keys.events(user), packed).ignore();
        for object in &token.details.related_objects {
            let entries = self.keys.related(object);
            let score = token.record.ends_at_ms.div_ceil(1000) * CYCLE_S + self.now_ms / 1000 % CYCLE_S;
            pipeline.zadd(&entries, id.to_string(), score).ignore();
            self.expire(&entries, LIFETIME_MS, pipeline);
        }
    }
}
