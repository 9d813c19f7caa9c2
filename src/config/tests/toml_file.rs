//! The TOML file.

use super::support::{KEY, config, file_config, file_mistakes, mistakes};
use crate::values::{RenewalStep, SecretString};

#[test]
fn broken_toml_is_reported_with_the_other_mistakes_and_without_its_text() {
    for toml in [
        "\nadmin-key = hunter2hunter2\n",
        "\nadmin-key = 'hunter2",
        "\nadmin-key = \"hunter2\\q\"",
        "\nhunter2",
        "\nadmin-key = 'hunter2'\nadmin-key = 'hunter2'",
    ] {
        let told = mistakes(&["--config", "d.toml", "--lease=x"], &[], &[("d.toml", toml)]);
        assert!(told.starts_with("config (d.toml line "), "{told}");
        assert!(told.contains("lease (--lease)") && !told.contains("hunter2"), "{told}");
    }
    assert!(file_mistakes("\nlease = x").starts_with("config (d.toml line 2): "));
}

#[test]
fn toml_values_may_have_their_own_types() {
    let key = format!("ci:tokens+metrics:{}", "ab".repeat(32));
    let toml = format!(
        "\u{feff}cache-entries = 200_000\nrenewal-step = 0.25\nreuse-ends-token = false\nlease = '3s'\n\
         allowed-origins = ['https://a', 'https://b']\napi-keys = ['{key}']\ntoken-keys = ['{KEY}']\n\
         touch-resolution = 0"
    );
    let config = file_config(&toml);
    assert_eq!((config.cache_entries, config.reuse_ends_token), (200_000, false));
    assert_eq!(config.renewal_step, RenewalStep::Share { percent: 25 });
    let origins: Vec<_> = config.allowed_origins.iter().map(ToString::to_string).collect();
    assert_eq!(origins, ["https://a", "https://b"]);
    assert_eq!(config.api_keys[0].name, "ci");
    assert_eq!((config.token_keys[0].expose(), config.touch_resolution_ms), (KEY, 0));
    assert!(file_mistakes("lease = 2026-01-01").starts_with("lease (lease in d.toml): "));
    assert!(file_mistakes("api-keys = [1]").contains("is a list with an item that is not a text"));
    assert!(file_mistakes("token-keys = ['a,b']").contains("a comma in one of its texts"));
    for text in ["\"a\\nb\"", "'#a'", "'a #b'"] {
        let told = file_mistakes(&format!("token-keys = [{text}]"));
        assert!(told.contains("a line break or a comment in one of its texts"), "{told}");
    }
    assert!(file_mistakes("token-keys-file = ['a']").contains("is a list, but takes one value"));
}

#[test]
fn route_checks_are_tables_or_a_list() {
    let toml = "checks = ['any', 'staff:backend=l%2Cdap+second-factor=true']";
    let tables = "[checks.any]\n[checks.staff]\nbackend = 'l,dap'\nsecond-factor = true";
    let flag = ["--checks", "any, staff:second-factor=true+backend=l%2Cdap"];
    let checks = file_config(toml).checks;
    assert_eq!((checks.len(), checks[1].backends.clone()), (2, vec!["l,dap".to_owned()]));
    assert_eq!((&file_config(tables).checks, &config(&flag, &[], &[]).checks), (&checks, &checks));
    let several =
        "[checks.staff]\nbackend = ['a', 'b']\nscopes = ['read', 'write']\nslug = []\nmax-age = '15m'";
    let flag = ["--checks", "staff:backend=a+backend=b+max-age=15m+scopes=read+scopes=write"];
    assert_eq!(file_config(several).checks, config(&flag, &[], &[]).checks);
    for (toml, told) in [
        ("[checks.staff]\nbackend = [['a']]", r#"has a "backend" in "staff" that is a list"#),
        ("[checks.staff]\nrenew = [true, false]", "it has renew twice"),
        ("[checks]\nstaff = 1", r#"has a "staff" that is not a table"#),
        ("[checks.'a,b']", "its name is not"),
        ("[checks.a]\n'slug=x' = 'y'", "is none of backend, slug"),
        ("[checks.a]\nslug = 'a b'", "its slug must be"),
    ] {
        let mistakes = file_mistakes(toml);
        assert!(mistakes.starts_with("checks (checks in d.toml): ") && mistakes.contains(told), "{mistakes}");
    }
}

#[test]
fn a_date_may_stand_with_or_without_quotes() {
    let until = |value: &str| {
        file_config(&format!("[foreign.old]\nscheme = 'knox'\nuntil = {value}")).foreign[0].until_ms
    };
    assert_eq!(until("2027-01-31"), until("'2027-01-31'"));
    assert_eq!(until("2027-01-31T12:00:00+02:00"), until("'2027-01-31T10:00:00Z'"));
    let told = file_mistakes("[foreign.old]\nscheme = 'knox'\nuntil = 12:00:00");
    assert!(told.contains("is not a date or a time"), "{told}");
}

#[test]
fn foreign_forms_are_tables_or_a_list_and_their_secrets_are_in_files() {
    let toml = "[foreign.old]\nscheme = 'knox'\nheader-scheme = ['Token', 'none']\nlength = 64\n\
                [foreign.shop]\nscheme = 'express-session'\ncookie = 'sid'\nsecret-file = '/run/s'";
    let variable = "old:scheme=knox+header-scheme=Token+header-scheme=none+length=64,\
                    shop:scheme=express-session+cookie=sid+secret-file=/run/s";
    let secrets = |text| [("/run/s", text)];
    let of_file = |text| {
        let files = [("d.toml", toml), ("/run/s", text)];
        config(&["--config", "d.toml"], &[], &files).foreign
    };
    let forms = of_file("\u{feff}new # 1\r\n\r\n  old\n");
    let exposed: Vec<_> = forms[1].secrets.iter().map(SecretString::expose).collect();
    assert_eq!(exposed, ["new # 1", "  old"], "white space and # belong to a secret");
    assert_eq!(config(&[], &[("DOORWARD_FOREIGN", variable)], &secrets("new # 1\n  old")).foreign, forms);
    assert_ne!(of_file("other"), forms, "a reload notices other secrets");

    for (files, told) in [
        (
            vec![],
            "foreign (DOORWARD_FOREIGN): has a mistake in the secret-file of shop: cannot read the file",
        ),
        (secrets("\n \n").to_vec(), "the file it names is empty"),
        (secrets("a\na\na\na\na\na\na\na\na").to_vec(), "has more than 8 secrets"),
    ] {
        let mistakes = mistakes(&[], &[("DOORWARD_FOREIGN", variable)], &files);
        assert!(mistakes.contains(told) && !mistakes.contains("/run/s"), "{mistakes}");
    }
}
