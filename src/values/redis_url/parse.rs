//! Parses a URL of Redis.

use super::percent::decode;
use super::url::{RedisDeployment, RedisUrl};
use crate::values::host_port::HostPort;
use crate::values::secret_string::SecretString;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// The maximum number of hosts in a URL. A few are enough to find the others, so a longer list is a mistake.
const MAX_HOSTS: usize = 64;

type Login = (Option<String>, Option<SecretString>);

impl RedisUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// The problem, as the rest of a sentence that starts with "the value". It repeats no part of the value, which may
    /// hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(unknown_scheme)?;
        if rest.contains('#') {
            return Err("has a #: in a user or password it is written %23".into());
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "redis+unix" {
            return parse_unix(rest);
        }
        if rest.contains('?') {
            return Err("has a ?: in a user or password it is written %3F".into());
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (Some(userinfo), hosts),
            None => (None, authority),
        };
        let (username, password) = userinfo.map_or(Ok((None, None)), parse_login)?;
        let (deployment, db) = match scheme.as_str() {
            "redis" | "rediss" => {
                let server = HostPort::parse(hosts, REDIS_PORT)?;
                (RedisDeployment::Standalone { server, tls: scheme == "rediss" }, database(path)?)
            }
            "redis+cluster" if path.is_empty() || path == "0" => {
                (RedisDeployment::Cluster { servers: host_list(hosts, REDIS_PORT)? }, 0)
            }
            "redis+cluster" => return Err("has a database, but a Redis Cluster has only database 0".into()),
            "redis+sentinel" => {
                let (master, db) = path.split_once('/').unwrap_or((path, ""));
                let master = decode(master)?;
                if master.is_empty() {
                    return Err("has no master name, as in redis+sentinel://host:26379/master-name".into());
                }
                let sentinels = host_list(hosts, SENTINEL_PORT)?;
                (RedisDeployment::Sentinel { sentinels, master }, database(db)?)
            }
            _ => return Err(unknown_scheme()),
        };
        Ok(Self { deployment, username, password, db })
    }
}

/// Parses what follows `redis+unix://`.
fn parse_unix(rest: &str) -> Result<RedisUrl, String> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = decode(path)?;
    if !path.starts_with('/') || path.contains('\0') {
        return Err("has no absolute path, as in redis+unix:///run/redis.sock".into());
    }
    let (mut username, mut password, mut db) = (None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value)?;
        let is_repeated = match key {
            "db" => db.replace(database(&value)?).is_some(),
            "username" => username.replace(value).is_some(),
            "password" => password.replace(value).is_some(),
            _ => return Err("has something other than db, username and password after its ?".into()),
        };
        if is_repeated {
            return Err(format!("has {key} twice"));
        }
    }
    let (username, password) = checked_login(username, password)?;
    let deployment = RedisDeployment::Unix { path: path.into() };
    Ok(RedisUrl { deployment, username, password, db: db.unwrap_or(0) })
}

fn unknown_scheme() -> String {
    "does not start with redis://, rediss://, redis+unix://, redis+cluster:// or redis+sentinel://".into()
}

fn parse_login(userinfo: &str) -> Result<Login, String> {
    let (username, password) = match userinfo.split_once(':') {
        Some((username, password)) => (username, Some(decode(password)?)),
        None => (userinfo, None),
    };
    checked_login(Some(decode(username)?), password)
}

fn checked_login(username: Option<String>, password: Option<String>) -> Result<Login, String> {
    let username = username.filter(|username| !username.is_empty());
    let password = password.filter(|password| !password.is_empty());
    if username.is_some() && password.is_none() {
        return Err("has a user without a password; a password alone is written :password@".into());
    }
    Ok((username, password.map(SecretString::new)))
}

fn database(text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Ok(0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has a database that is not a number".into());
    }
    text.parse().map_err(|_| "has a database number that is too large".to_owned())
}

fn host_list(text: &str, default_port: u16) -> Result<Vec<HostPort>, String> {
    if text.split(',').count() > MAX_HOSTS {
        return Err(format!("names more than {MAX_HOSTS} hosts"));
    }
    text.split(',').map(|text| HostPort::parse(text, default_port)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Shows a URL in its full form, with all defaults filled in.
    fn shown(url: &str) -> String {
        RedisUrl::parse(url).unwrap_or_else(|e| panic!("{url}: {e}")).to_string()
    }

    #[test]
    fn every_form_is_parsed_and_shown() {
        for (url, full) in [
            ("redis://host", "redis://host:6379/0"),
            ("redis://host/", "redis://host:6379/0"),
            ("REDIS://10.0.0.1:1/15", "redis://10.0.0.1:1/15"),
            ("redis://[::1]", "redis://[::1]:6379/0"),
            ("redis://:pw@[fe80::1]:7000/2", "redis://:***@[fe80::1]:7000/2"),
            ("rediss://user:pw@host_a.example:6380", "rediss://user:***@host_a.example:6380/0"),
            ("redis://u%40x:p@host", "redis://u%40x:***@host:6379/0"),
            ("redis://a%2Fb:p@host/1", "redis://a%2Fb:***@host:6379/1"),
            ("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock?db=0"),
            ("redis+unix:///a%20b?db=3&password=pw", "redis+unix:///a%20b?db=3&password=***"),
            ("redis+unix:///s?username=u&password=pw", "redis+unix:///s?db=0&username=u&password=***"),
            ("redis+cluster://a:1,b:2/", "redis+cluster://a:1,b:2/"),
            ("redis+cluster://u:pw@a,[::1]:2,c", "redis+cluster://u:***@a:6379,[::1]:2,c:6379/"),
            ("redis+sentinel://a,b:2/main", "redis+sentinel://a:26379,b:2/main/0"),
            ("redis+sentinel://:pw@a:1/m%2Fx/4", "redis+sentinel://:***@a:1/m%2Fx/4"),
        ] {
            assert_eq!(shown(url), full);
        }
    }

    #[test]
    fn the_parts_are_decoded_and_the_password_is_hidden() {
        let url = RedisUrl::parse("rediss://us%3Aer:p%40ss%2F%C3%A9@[::1]:7000/2").unwrap();
        assert_eq!(url.username.as_deref(), Some("us:er"));
        assert_eq!(url.password.as_ref().map(SecretString::expose), Some("p@ss/é"));
        assert_eq!(url.db, 2);
        let server = HostPort { host: "::1".into(), port: 7000 };
        assert_eq!(url.deployment, RedisDeployment::Standalone { server, tls: true });
        let text = format!("{url:?}{url}");
        assert!(!text.contains("p@ss") && !text.contains("p%40ss"), "{text}");
        let empty = RedisUrl::parse("redis://:@host").unwrap();
        assert_eq!((empty.username, empty.password), (None, None));
    }

    #[test]
    fn an_error_names_the_problem_and_not_the_value() {
        for (url, problem) in [
            ("", "does not start with"),
            ("hunter2", "does not start with"),
            ("http://hunter2", "does not start with"),
            ("redis://", "bad host"),
            ("redis:///hunter2", "bad host"),
            ("redis://a,b", "bad host"),
            ("redis://u:hunter2/x@host", "port that is not a number"),
            ("redis://u:hunter2#@host", "has a #"),
            ("redis://u:hunter2?@host", "has a ?"),
            ("redis://u:hunter2%@host", "has a %"),
            ("redis://u:hunter2%ff@host", "not UTF-8"),
            ("redis://hunter2@host", "without a password"),
            ("redis://::1", "bad host"),
            ("redis://[hunter2]", "bad host"),
            ("redis://[::1]x", "bad host"),
            ("redis://[::1", "bad host"),
            ("redis://host:0", "from 1 to 65535"),
            ("redis://host:65536", "from 1 to 65535"),
            ("redis://host:", "from 1 to 65535"),
            ("redis://host:+1", "port that is not a number"),
            ("redis://host/hunter2", "database that is not a number"),
            ("redis://host/65536", "too large"),
            ("redis+unix://hunter2", "no absolute path"),
            ("redis+unix:///s%00", "no absolute path"),
            ("redis+unix:///s?hunter2=1", "other than db"),
            ("redis+unix:///s?db=1&db=1", "db twice"),
            ("redis+unix:///s?username=hunter2", "without a password"),
            ("redis+cluster://a,,b", "bad host"),
            ("redis+cluster://a/1", "only database 0"),
            ("redis+sentinel://a", "no master name"),
            ("redis+sentinel://a//1", "no master name"),
        ] {
            let error = RedisUrl::parse(url).unwrap_err();
            assert!(error.contains(problem) && !error.contains("hunter2"), "{url}: {error}");
        }
        let many = format!("redis+cluster://{}", ["a"; MAX_HOSTS + 1].join(","));
        assert!(RedisUrl::parse(&many).unwrap_err().contains("more than 64 hosts"));
    }

    proptest! {
        #[test]
        fn a_shown_url_parses_to_the_same_servers(
            url in "redis(s|\\+cluster|\\+sentinel|\\+unix)?://([a-c%2F]{0,4}:?[a-c]{0,3}@)?(/?[a-c\\[\\]:0-9]{1,4},?){1,3}(/[a-c0-9]{0,2}){0,2}",
        ) {
            if let Ok(parsed) = RedisUrl::parse(&url) {
                let again = RedisUrl::parse(&parsed.to_string());
                prop_assert!(again.is_ok_and(|again| again.deployment == parsed.deployment && again.db == parsed.db));
            }
        }
    }
}
