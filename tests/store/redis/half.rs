//! A script that fails must have changed nothing, because Redis does not roll back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use doorward::internals::model::cutoff::CutoffName;
use doorward::internals::model::device_key::{DeviceChange, DeviceKey};
use doorward::internals::model::revoke_reason::RevokeReason;
use doorward::internals::model::takeover::NewTakeover;
use doorward::internals::model::token::RelatedObject;
use doorward::internals::model::token::Rotation;
use doorward::internals::token_string;
use doorward::system::Entropy;
use doorward::{StoreError, Token, TokenChange};

use crate::common::devices::{login_of, sample_device, secret_hash};
use crate::common::redis::RedisServer;
use crate::common::store::{DAY_MS, HOUR_MS, NOW_MS, TestStore, raw_connection, touch, with_objects};

/// Returns every key with its serialized value, except reverse indexes: their entries are written before the things
/// they name.
fn snapshot(server: &RedisServer) -> BTreeMap<String, Vec<u8>> {
    const SCRIPT: &str = "local r = {} for _, k in ipairs(redis.call('KEYS', '*')) do \
        r[#r + 1] = k r[#r + 1] = redis.call('DUMP', k) end return r";
    let all: Vec<(String, Vec<u8>)> =
        redis::cmd("EVAL").arg(SCRIPT).arg(0).query(&mut raw_connection(server)).unwrap();
    all.into_iter().filter(|(key, _)| !key.starts_with("dw:r:") && !key.starts_with("dw:v:")).collect()
}

/// Returns the commands in the source of the scripts that a node runs.
///
/// The scripts of `doorward verify` are left out, because no node runs them: `tests/redis/verify/permissions.rs` takes
/// their commands away.
fn commands_of_scripts() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let folders = ["src/store/redis/schema/lua", "src/store/redis/schema/lua/shared"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let is_of_node = |path: &PathBuf| {
        path.is_file() && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("verif"))
    };
    for path in files.map(|file| file.unwrap().path()).filter(is_of_node) {
        let source = std::fs::read_to_string(path).unwrap();
        for call in source.split("call('").skip(1) {
            names.insert(call.split('\'').next().unwrap().to_owned());
        }
    }
    names
}

/// Alice has a token that acts as bob and has a related object, and a device key that logged her in.
struct Scene<'a> {
    server: &'a RedisServer,
    on: TestStore,
    token: Token,
    object: RelatedObject,
    failures: Vec<(&'static str, StoreError)>,
}

impl<'a> Scene<'a> {
    async fn set(server: &'a RedisServer) -> Self {
        let on = TestStore::alone_on(server).await;
        let object = RelatedObject { content_type: "order".into(), object_id: "7".into() };
        let mut token = on.sample("alice", NOW_MS);
        token = with_objects(token, vec![object.clone()]);
        on.store.issue(&token, NOW_MS).await.unwrap().unwrap();
        on.store.start_takeover(&takeover(&token, 1), NOW_MS).await.unwrap().unwrap();
        let device = sample_device("alice", "phone", 0, NOW_MS);
        on.make_device(&device).await;
        on.log_in(&login_of(&device, NOW_MS), &device, NOW_MS).await.unwrap();
        Self { server, on, token, object, failures: Vec::new() }
    }

    /// Runs one operation; if it fails, it must have changed nothing.
    async fn step<T>(&mut self, what: &'static str, operation: impl Future<Output = Result<T, StoreError>>) {
        let before = snapshot(self.server);
        if let Err(error) = operation.await {
            assert_eq!(snapshot(self.server), before, "{what} is half done: {error}");
            self.failures.push((what, error));
        }
    }

    /// Runs every operation that changes a device key of alice's.
    async fn change_device(&mut self, device: &DeviceKey, now_ms: u64) {
        let store = self.on.store.clone();
        let inactive = DeviceChange { is_active: Some(false), name: Some(Some("a name".into())) };
        let hash = secret_hash(device);
        let of = (device.id, &hash);
        self.step("device rotation", store.rotate_device(("alice", "phone"), of, now_ms)).await;
        self.step("device change", store.change_device("alice", "phone", &inactive, now_ms)).await;
        self.step("device removal", store.remove_device("alice", "phone", now_ms)).await;
    }

    /// Runs every operation that writes. With `all`, also revokes all of alice's tokens. The last one erases alice, who has
    /// few enough tokens to be erased in one step.
    async fn do_everything(&mut self, all: bool) {
        let (store, now_ms, token) = (self.on.store.clone(), NOW_MS + 1, self.token.clone());
        let id = token.record.id;
        let (object, other) =
            (self.object.clone(), RelatedObject { object_id: "8".into(), ..self.object.clone() });
        let device = sample_device("alice", "phone", 0, NOW_MS);
        let (login, by_device) = (login_of(&device, now_ms), self.on.for_login(&device, now_ms));
        let tablet = sample_device("alice", "tablet", 5, now_ms);
        let rotation = Rotation { hash: self.on.mint("alice").hash, grace_ms: 1000 };
        let rotation = TokenChange { rotate: Some(rotation), ..TokenChange::default() };
        let (idle_ms, lifetime_ms) = (Some(3 * HOUR_MS), Some(60 * DAY_MS));
        let times = TokenChange { idle_ms, lifetime_ms, ..TokenChange::default() };
        let revoking = TokenChange::revoking(RevokeReason::Ended);
        let slug = Some(Some("slug".into()));
        let end = TokenChange { auth_slug: slug, allowed_cookie: Some(false), ..revoking };
        let (new, last) = (self.on.sample("alice", now_ms), self.on.sample("alice", now_ms));
        let touches = [touch(&token, now_ms, Some(now_ms + 2 * HOUR_MS))];
        let (second, third) = (takeover(&token, 2), takeover(&token, 3));

        self.step("issue", store.issue(&new, now_ms)).await;
        self.step("touch", async { store.touch(&touches, now_ms).await.map_err(|e| e.error) }).await;
        self.step("relate", store.relate(id, &other, now_ms)).await;
        self.step("unrelate", store.unrelate(id, &other, now_ms)).await;
        self.step("takeover", store.start_takeover(&second, now_ms)).await;
        self.step("end of a takeover", store.end_takeover(id, RevokeReason::Ended, now_ms)).await;
        self.step("another takeover", store.start_takeover(&third, now_ms)).await;
        self.step("lock", store.set_lock("alice", true, now_ms)).await;
        self.step("unlock", store.set_lock("alice", false, now_ms)).await;
        self.step("other times", store.change(id, &times, now_ms)).await;
        self.step("rotation", store.change(id, &rotation, now_ms)).await;
        self.step("device login", store.device_login(&login, &by_device, now_ms)).await;
        self.step("device", store.make_device(&tablet, now_ms)).await;
        if all {
            self.change_device(&device, now_ms).await;
        }
        self.step("reuse", store.revoke_reused(id, &token.record.secret_hash, now_ms)).await;
        self.step("end", store.change(id, &end, now_ms)).await;
        self.step("end by object", store.revoke_object_tokens(&object, now_ms)).await;
        if all {
            self.step("end of all", store.revoke_user_tokens("alice", None, now_ms)).await;
        }
        let all_tokens = CutoffName::All;
        self.step("cut-off", store.set_cutoff(&all_tokens, now_ms, now_ms)).await;
        self.step("walk", store.hold_walk("walker", &[], now_ms)).await;
        self.step("removal of a cut-off", store.remove_cutoff(&all_tokens, now_ms)).await;
        self.step("another issue", store.issue(&last, now_ms)).await;
        self.step("erasure", store.erase_user("alice", now_ms)).await;
    }
}

fn takeover(token: &Token, number: u64) -> NewTakeover {
    let token = token.record.id;
    let id = token_string::new_id(token.hash_tag(), &Entropy::seeded(number)).unwrap();
    NewTakeover { id, token, user: "bob".into(), reason: None, ends_at_ms: NOW_MS + DAY_MS }
}

/// Takes away, while a node runs, every command of the scripts, the channel and every kind of key.
#[tokio::test]
async fn a_missing_permission_leaves_no_partial_write() {
    let server = RedisServer::start();
    let commands = commands_of_scripts().into_iter().map(|name| (format!("-{name}"), name));
    let channel = ("resetchannels".to_owned(), "PUBLISH".to_owned());
    let only = |kinds: &str| kinds.chars().map(|kind| format!(" ~dw:{kind}:*")).collect::<String>();
    let kinds = "tueodkalqy"
        .chars()
        .map(|kind| (format!("resetkeys{}", only(&"tueodkalqyirvm".replace(kind, ""))), String::new()));
    let read_only = ("resetkeys %R~dw:*".to_owned(), String::new());
    for (rules, named) in commands.chain([channel, read_only]).chain(kinds) {
        server.cli(&["FLUSHALL"]);
        server.set_user(&["resetkeys", "~dw:*", "&dw:*", "+@all", "-@admin", "-@dangerous", "+info"]);
        let mut scene = Scene::set(&server).await;
        server.set_user(&rules.split(' ').collect::<Vec<_>>());
        scene.do_everything(true).await;
        assert!(!scene.failures.is_empty(), "{rules}");
        for (what, error) in scene.failures {
            let text = error.to_string();
            assert!(text.contains("the redis user may not"), "{what} with {rules}: {text}");
            assert!(text.contains(&named), "{what} with {rules}: {text}");
        }
    }
}

/// Replaces each kind of key by a string, and each packed field by garbage.
#[tokio::test]
async fn a_corrupt_record_leaves_no_partial_write() {
    let server = RedisServer::start();
    for broken in ["t", "u", "e", "o", "d", "k", "a", "t.t", "o.*"] {
        server.cli(&["FLUSHALL"]);
        let mut scene = Scene::set(&server).await;
        let (kind, field) = broken.split_once('.').unwrap_or((broken, ""));
        for key in server.keys().iter().filter(|key| key.starts_with(&format!("dw:{kind}:"))) {
            let all = server.try_cli(&["HKEYS", key]).unwrap_or_default();
            match field {
                "" => drop(server.cli(&["SET", key, "a string"])),
                "*" => all.lines().for_each(|name| drop(server.cli(&["HSET", key, name, "!"]))),
                field => drop(server.cli(&["HSET", key, field, "!"])),
            }
        }
        // With a corrupt token, revoking all revokes the others and then reports an error, so it is left out.
        scene.do_everything(broken != "t").await;
    }
}
