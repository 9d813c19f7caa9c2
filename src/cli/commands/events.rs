//! `doorward events`: follows the event feed of a node.

use std::io;
use std::thread;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use http_body_util::BodyExt as _;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::arguments::user;
use super::sse::{SentEvent, SseReader};
use crate::cli::admin::{AdminClient, AdminFlags, Failure};
use crate::cli::output::note;
use crate::cli::runtime::StopSignals;
use crate::cli::show::{Output, pairs, text};
use crate::http_client::OpenResponse;
use crate::model::event::EventKind;

/// The feed sends a comment after 15 s of silence. After three times as much, the connection is lost.
const MAX_SILENCE: Duration = Duration::from_secs(45);
/// The pause before a reconnect, if the feed names none.
const RETRY_MS: u64 = 1000;
/// The type of the event that says that events may be missing.
const GAP: &str = "gap";

/// Which events to show.
#[derive(Debug, Args)]
pub struct FollowEvents {
    /// Only events of this user
    #[arg(long, value_parser = user)]
    user: Option<String>,
    /// Only events of this type; may be repeated
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = types())]
    r#type: Vec<String>,
    #[command(flatten)]
    pub(crate) admin: AdminFlags,
}

fn types() -> PossibleValuesParser {
    PossibleValuesParser::new(EventKind::ALL.map(EventKind::name))
}

/// Follows the feed until a signal arrives or the reader of standard output has gone.
pub(crate) async fn run(client: &AdminClient, output: Output, which: &FollowEvents) -> Result<(), Failure> {
    let signals = StopSignals::catch();
    let mut signals = signals.map_err(|error| Failure::local(format!("signals not caught: {error}")))?;
    let mut follower = EventFollower { client, output, which, reader: SseReader::default() };
    tokio::select! {
        failure = follower.follow() => Err(failure),
        () = signals.next() => Ok(()),
        () = reader_has_gone() => Ok(()),
    }
}

/// Resolves when standard output is a pipe whose reader has gone. Without it, only the next event would show that.
async fn reader_has_gone() {
    let (gone, is_gone) = oneshot::channel();
    let watch = move || {
        let stdout = io::stdout();
        let mut stdout = [PollFd::new(&stdout, PollFlags::empty())];
        // Errors are always asked for (poll(2)). A pipe without a reader has one; files never do.
        while poll(&mut stdout, None) == Err(Errno::INTR) {}
        let _ = gone.send(());
    };
    // A thread of its own, because it may wait for ever; it ends with the process.
    let watcher = thread::Builder::new().name("stdout".into()).spawn(watch);
    if watcher.is_err() || is_gone.await.is_err() {
        std::future::pending().await
    }
}

struct EventFollower<'a> {
    client: &'a AdminClient,
    output: Output,
    which: &'a FollowEvents,
    reader: SseReader,
}

impl EventFollower<'_> {
    /// Reads connection after connection. The first must succeed. Later, only a refusal ends it.
    async fn follow(&mut self) -> Failure {
        let mut open = match self.client.open_events(None).await {
            Ok(open) => open,
            Err(failure) => return failure,
        };
        loop {
            if let Err(failure) = self.read(&mut open).await {
                return failure;
            }
            drop(open);
            note("feed lost, reconnecting");
            open = match self.reconnect().await {
                Ok(open) => open,
                Err(failure) => return failure,
            };
        }
    }

    async fn reconnect(&mut self) -> Result<OpenResponse, Failure> {
        self.reader.start_over();
        loop {
            sleep(Duration::from_millis(self.reader.retry_ms.unwrap_or(RETRY_MS))).await;
            match self.client.open_events(self.reader.last_id.as_deref()).await {
                Ok(open) => {
                    note("feed resumed");
                    return Ok(open);
                }
                // The node is away, stops, or has too many readers.
                Err(failure) if failure.may_pass() => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Prints events until the connection ends.
    async fn read(&mut self, open: &mut OpenResponse) -> Result<(), Failure> {
        let body = open.response.body_mut();
        while let Ok(Some(Ok(frame))) = timeout(MAX_SILENCE, body.frame()).await {
            let Some(bytes) = frame.data_ref() else { continue };
            let Some(events) = self.reader.read(bytes) else {
                return Err(Failure::local("the feed sent an event that is too large".into()));
            };
            for event in &events {
                self.print(event)?;
            }
        }
        Ok(())
    }

    fn print(&self, event: &SentEvent) -> Result<(), Failure> {
        if event.kind == GAP {
            let gap =
                json!({"type": GAP, "detail": "events may be missing; the histories of users have them"});
            return self.output.print(&gap, line);
        }
        let Ok(event) = serde_json::from_str::<Value>(&event.data) else {
            return Err(Failure::local("the feed sent an event that is not JSON".into()));
        };
        let is_wanted = |wanted: &str, name: &str| event[name].as_str() == Some(wanted);
        let FollowEvents { user, r#type: types, .. } = self.which;
        if user.as_ref().is_some_and(|user| !is_wanted(user, "user"))
            || !types.is_empty() && !types.iter().any(|kind| is_wanted(kind, "type"))
        {
            return Ok(());
        }
        self.output.print(&event, line)
    }
}

/// An event as a line: time, type, then all other fields.
fn line(event: &Value) -> String {
    let rest = event.as_object().map_or(String::new(), |event| pairs(event, &["at", "type"]));
    match &event["at"] {
        Value::Null => format!("{} {rest}", text(&event["type"])),
        at => format!("{} {} {rest}", text(at), text(&event["type"])),
    }
}
