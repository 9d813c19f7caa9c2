//! Names that clients rely on, as files, so that a change shows up in review. After an intended change, run
//! `UPDATE_SNAPSHOTS=1 cargo test snapshot` and commit the files in tests/snapshots.

use std::path::Path;

use doorward::internals::cli::command_line::{Invocation, command, read};
use doorward::internals::node::metrics::{Metrics, TextFormat};
use doorward::internals::server::admin::problem::ProblemKind;
use doorward::{Config, Node};

/// Compares a text with a file in tests/snapshots.
fn assert_snapshot(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let changed = |(now, before)| (now != before).then(|| format!("-{before}\n+{now}\n"));
    let lines = text.lines().zip(expected.lines()).find_map(changed).unwrap_or_default();
    assert!(text == expected, "{file} differs; if that is intended, set UPDATE_SNAPSHOTS=1\n{lines}");
}

fn help(args: &[&str]) -> String {
    match read(["doorward"].iter().chain(args).map(Into::into), []) {
        Ok(Invocation::Print(help)) => help,
        other => panic!("{args:?}: {other:?}"),
    }
}

/// The help of the program, then of each command without the settings of a server.
#[test]
fn help_snapshot() {
    assert_snapshot("help.txt", &help(&["--help"]));
    assert_snapshot("help_short.txt", &help(&["-h"]));
    let mut commands = String::new();
    for verb in command().get_subcommands() {
        if verb.get_arguments().any(|arg| arg.get_id() == "config") {
            continue;
        }
        commands += &format!("# {0}\n{1}\n", verb.get_name(), help(&[verb.get_name(), "--help"]));
        for nested in verb.get_subcommands() {
            let names = [verb.get_name(), nested.get_name()];
            commands += &format!("# {}\n{}\n", names.join(" "), help(&[&names[..], &["-h"]].concat()));
        }
    }
    assert_snapshot("help_commands.txt", &commands);
}

#[test]
fn problems_snapshot() {
    let line = |kind: &ProblemKind| format!("{} {} {}\n", kind.status().as_u16(), kind.uri(), kind.title());
    assert_snapshot("problems.txt", &ProblemKind::ALL.iter().map(line).collect::<String>());
}

/// Names, types and help of all metrics, then the samples of an embedded-store node without their values.
#[tokio::test]
async fn metrics_snapshot() {
    let node = Node::start(&Config::default()).await.unwrap();
    let _validator = node.validator().await;
    let text = Metrics::of(&node).text(TextFormat::OpenMetrics);
    node.stop().await;
    let (descriptions, samples): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('#'));
    let mut samples: Vec<_> = samples.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    samples.sort_unstable();
    assert_snapshot("metrics.txt", &([descriptions, samples].concat().join("\n") + "\n"));
}
