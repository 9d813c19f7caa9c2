//! A reader of Redis learns no secret.

use crate::common::redis::RedisServer;
use crate::common::store::{HOUR_MS, NOW_MS, TestStore, raw_connection};

#[tokio::test]
async fn no_secret_reaches_redis() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let server = RedisServer::start_durable();
    let on = TestStore::alone_on(&server).await;
    let minted = on.mint("alice");
    let mut token = on.sample("alice", NOW_MS);
    token = crate::common::store::edited(token, |c| (c.id, c.secret_hash) = (minted.id, minted.hash));
    on.store.issue(&token, NOW_MS).await.unwrap().unwrap();
    on.touch(&token, NOW_MS + 1, Some(NOW_MS + 2 * HOUR_MS)).await;
    on.revoke(&token, NOW_MS + 2).await;

    let mut kept = everything_in(&server);
    assert!(contains(&kept, minted.hash.as_bytes()), "the dump contains the stored hash");
    for entry in walk(server.socket().parent().unwrap()) {
        kept.extend(std::fs::read(entry).unwrap());
    }
    let encoded = &minted.token_string.as_bytes()["dw_".len()..];
    let raw = URL_SAFE_NO_PAD.decode(encoded).unwrap();
    // 12 bytes of id, 16 of secret, 8 of MAC. Not even half of the secret may appear.
    for secret in [&raw[12..20], &raw[20..28], &encoded[16..26], &encoded[26..36]] {
        assert!(!contains(&kept, secret));
    }
}

/// Returns the bytes of all keys, fields, members and values.
fn everything_in(server: &RedisServer) -> Vec<u8> {
    let mut connection = raw_connection(server);
    let mut all = Vec::new();
    for key in redis::cmd("KEYS").arg("*").query::<Vec<Vec<u8>>>(&mut connection).unwrap() {
        let kind: String = redis::cmd("TYPE").arg(&key).query(&mut connection).unwrap();
        let values: Vec<Vec<u8>> = match kind.as_str() {
            "hash" => redis::cmd("HGETALL").arg(&key).query(&mut connection).unwrap(),
            "zset" => redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1).query(&mut connection).unwrap(),
            "list" => redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query(&mut connection).unwrap(),
            "string" => vec![redis::cmd("GET").arg(&key).query(&mut connection).unwrap()],
            other => panic!("a key of type {other}"),
        };
        all.extend(key);
        all.extend(values.concat());
    }
    all
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Returns the files below a folder, including the subfolder of the append-only file.
fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match () {
            () if path.is_dir() => walk(&path),
            () if path.is_file() => vec![path],
            () => vec![],
        })
        .collect()
}
