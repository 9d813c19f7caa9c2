use super::support::config;
use crate::config::reload::Reload;
use crate::config::settings::SETTINGS;

#[test]
fn only_some_settings_change_without_a_restart() {
    let running = config(&["--lease", "2s", "--checks", "a"], &[], &[]);
    let sources =
        config(&["--lease", "3s", "--checks", "b", "--log-level", "debug", "--listen", "[::1]:1"], &[], &[]);
    let reload = Reload::new(&running, &sources);
    assert_eq!(reload.changed, ["checks", "log-level"]);
    assert_eq!(reload.needs_restart, ["listen", "lease"]);
    assert_eq!((&reload.config.checks, reload.config.lease_ms), (&sources.checks, 2000));
    // The names stay until the restart.
    let again = Reload::new(&reload.config, &sources);
    assert_eq!((again.changed, again.needs_restart), (vec![], vec!["listen", "lease"]));
}

#[test]
fn tls_can_be_replaced_but_not_turned_on_or_off() {
    let plain = config(&[], &[], &[]);
    let tls = config(&["--tls-cert", "a", "--tls-key", "b"], &[], &[]);
    for (running, sources) in [(&plain, &tls), (&tls, &plain)] {
        let reload = Reload::new(running, sources);
        assert_eq!((reload.changed, reload.needs_restart), (vec![], vec!["tls-cert", "tls-key"]));
        assert_eq!(&reload.config, running);
    }
    let other = config(&["--tls-cert", "c", "--tls-key", "b"], &[], &[]);
    assert_eq!(Reload::new(&tls, &other).changed, ["tls-cert"]);

    let admin = config(&["--admin-tls-cert", "a", "--admin-tls-key", "b"], &[], &[]);
    let with_ca =
        config(&["--admin-tls-cert", "a", "--admin-tls-key", "b", "--admin-client-ca", "c"], &[], &[]);
    assert_eq!(Reload::new(&admin, &with_ca).changed, ["admin-client-ca"]);
    let names = ["admin-tls-cert", "admin-tls-key", "admin-client-ca"];
    assert_eq!(Reload::new(&plain, &with_ca).needs_restart, names);
}

#[test]
fn the_document_lists_the_settings_that_are_reloaded() {
    let page = include_str!("../../../docs/rotation.md");
    let table =
        page.split("| settings | taken over |").nth(1).unwrap().split("| all others |").next().unwrap();
    let first_column = table.lines().filter_map(|row| row.split('|').nth(1)).collect::<String>();
    let mut listed: Vec<_> = first_column.split('`').skip(1).step_by(2).collect();
    let mut reloadable: Vec<_> = SETTINGS.iter().filter(|s| s.is_reloadable).map(|s| s.name).collect();
    listed.sort_unstable();
    reloadable.sort_unstable();
    assert_eq!(listed, reloadable);
}
