//! Lists in files of their own, as people and secret managers write them.

use super::*;

const OTHER: &str = "hunter3-hunter3-hunter3-hunter3-hunter3";

fn token_keys(file: &str) -> Vec<SecretString> {
    config(&[], &[("DOORWARD_TOKEN_KEYS_FILE", "keys")], &[("keys", file)]).token_keys
}

#[test]
fn a_file_has_its_items_on_lines_or_between_commas() {
    let expected = [SecretString::new(KEY), SecretString::new(OTHER)];
    for file in [
        format!("{KEY},{OTHER}"),
        format!("{KEY}\n{OTHER}\n"),
        format!("\u{feff}{KEY}\r\n\r\n{OTHER}\r\n"),
        format!("# signs, since May\n{KEY}\n# old, until June\n  {OTHER} # then gone\n\n"),
        format!("{KEY},\n{OTHER},\n# end"),
    ] {
        assert_eq!(token_keys(&file), expected, "{file}");
    }
    let variable = format!("{KEY}\n{OTHER}");
    assert_eq!(config(&[], &[("DOORWARD_TOKEN_KEYS", &variable)], &[]).token_keys, expected);
    let toml = format!("token-keys = '''\n{KEY} # signs\n{OTHER}\n'''");
    assert_eq!(file_config(&toml).token_keys, expected);
    let (hash, api_keys) = ("0".repeat(64), "DOORWARD_API_KEYS_FILE");
    let file = format!("# callers\nci:tokens:{hash}\nops:all:1{} # ours\n", &hash[1..]);
    assert_eq!(config(&[], &[(api_keys, "keys")], &[("keys", &file)]).api_keys.len(), 2);
}

#[test]
fn a_mistake_in_a_file_names_the_number_and_not_the_text() {
    for (file, problem) in [
        (format!("{KEY}\n{KEY} {OTHER}\n"), "in its key 2: it has white space"),
        (format!("{KEY}\n# a comment\nhunter2\n"), "in its key 2: it is not 32 to 1024 characters long"),
        (format!("{KEY},,{OTHER}"), "in its key 2"),
        (String::new(), "the file it names is empty"),
        ("\u{feff}\r\n".into(), "the file it names is empty"),
        ("# hunter2\n\n# none yet".into(), "the file it names has only comments in it"),
    ] {
        let told = mistakes(&[], &[("DOORWARD_TOKEN_KEYS_FILE", "keys")], &[("keys", &file)]);
        assert!(told.contains(problem) && !told.contains("hunter"), "{file:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let told = mistakes(
        &[],
        &[("DOORWARD_API_KEYS_FILE", "keys")],
        &[("keys", &format!("ci:all:{0}\nops:all:{0} x:all:{0}", "0".repeat(64)))],
    );
    assert!(told.contains("key 2") && told.contains("a line break missing"), "{told}");
}
