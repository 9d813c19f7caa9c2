//! Sends the batches, several at once, and repeats those that the node could not answer.

use std::convert::Infallible;
use std::io::{self, BufReader, IsTerminal as _};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::args::{Format, ImportSessions};
use super::lines::{LineBatch, Lines};
use super::progress::ProgressOfLines;
use super::summary::{Summary, show};
use crate::cli::admin::{AdminClient, Failure};
use crate::cli::output::FAILURE;
use crate::cli::runtime::StopSignals;
use crate::cli::show::Output;

/// The calls under way at once.
const CALLS_AT_ONCE: usize = 4;
/// How often a call is repeated while the node or its store is away: for about a minute.
const MAX_REPEATS: u32 = 10;
/// The wait before the first repetition; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A batch, or why no further batch can be read.
type Read = io::Result<LineBatch>;

/// Imports the export on standard input. Prints what became of its lines, also after a failure or a signal.
pub(crate) async fn run(
    client: &AdminClient,
    output: Output,
    sessions: &ImportSessions,
) -> Result<(), Failure> {
    let format = Arc::new(sessions.format()?);
    if io::stdin().is_terminal() {
        return Err(Failure::usage("import", "reads the export from standard input: doorward import < FILE"));
    }
    let lines = Lines::new(BufReader::new(io::stdin()), Arc::clone(&format), sessions.from_line);
    let batches = read_in_background(lines)?;
    let mut summary = Summary::default();
    let outcome = send_all(client, (&format, sessions.dry_run), batches, &mut summary).await;
    output.print(&summary.json(sessions.dry_run), show)?;
    let go_on = format!("go on with --from-line {}", summary.last_line.max(sessions.from_line - 1) + 1);
    match outcome {
        Err(failure) => Err(Failure::local(format!("{failure}; {go_on}, or repeat the command"))),
        Ok(true) => Err(Failure::local(format!("stopped; {go_on}, or repeat the command"))),
        Ok(false) if summary.skipped() > 0 => {
            let skipped = summary.skipped();
            let were = if skipped == 1 { "line was" } else { "lines were" };
            Err(Failure::local(format!("{skipped} {were} skipped")))
        }
        Ok(false) => Ok(()),
    }
}

/// Reads batches on a thread of its own, because the export may be slower than the node. It ends with the process.
fn read_in_background(
    mut lines: Lines<impl io::BufRead + Send + 'static>,
) -> Result<mpsc::Receiver<Read>, Failure> {
    let (batches, receiver) = mpsc::channel(1);
    let read = move || {
        while let Some(batch) = lines.batch().transpose() {
            let is_last = batch.is_err();
            if batches.blocking_send(batch).is_err() || is_last {
                return;
            }
        }
    };
    let started = thread::Builder::new().name("export".into()).spawn(read);
    started.map(|_| receiver).map_err(|error| Failure::local(format!("no thread: {error}")))
}

/// Sends all batches, and adds their results in the order of the export. Returns whether a signal stopped it: then the
/// calls under way have ended, and no further one was made.
async fn send_all(
    client: &AdminClient,
    (format, is_dry): (&Format, bool),
    batches: mpsc::Receiver<Read>,
    summary: &mut Summary,
) -> Result<bool, Failure> {
    let signals = StopSignals::catch();
    let signals = signals.map_err(|error| Failure::local(format!("signals not caught: {error}")))?;
    let progress = ProgressOfLines::start();
    let (stop, stopped) = watch::channel(false);
    let batches = stream::unfold(batches, async |mut batches| Some((batches.recv().await?, batches)));
    let batches = batches.take_until(end_of_work(stopped.clone()));
    let sent = batches.map(async |batch| {
        let batch = batch.map_err(|error| Failure::local(format!("the export cannot be read: {error}")))?;
        let answer = send(client, &batch, (format, is_dry), (&progress, &stopped)).await?;
        Ok::<_, Failure>((batch, answer))
    });
    let all_sent = async {
        let mut sent = pin!(sent.buffered(CALLS_AT_ONCE));
        while let Some(done) = sent.next().await {
            let (batch, answer) = done?;
            summary.add(&batch, &answer[format.results()]).map_err(Failure::local)?;
            progress.advance(&batch, summary);
        }
        Ok(())
    };
    // Beside the calls, because none of them may end for a long time.
    let outcome = tokio::select! {
        outcome = all_sent => outcome,
        never = obey(signals, &stop, &progress) => match never {},
    };
    outcome.map(|()| *stopped.borrow())
}

/// Ends the work at the first signal, and the process at the second.
async fn obey(
    mut signals: StopSignals,
    stop: &watch::Sender<bool>,
    progress: &ProgressOfLines,
) -> Infallible {
    signals.next().await;
    stop.send_replace(true);
    progress.note("stopping after the calls under way; a second signal ends at once");
    signals.next().await;
    std::process::exit(FAILURE.into());
}

/// Waits until no further call is to be made.
async fn end_of_work(mut stopped: watch::Receiver<bool>) {
    // The sender lives as long as the calls.
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}

/// Sends a batch. Repeating a call is safe, so it is repeated while its failure may pass, until a signal comes.
async fn send(
    client: &AdminClient,
    batch: &LineBatch,
    (format, is_dry): (&Format, bool),
    (progress, stopped): (&ProgressOfLines, &watch::Receiver<bool>),
) -> Result<Value, Failure> {
    if batch.records.is_empty() {
        return Ok(json!({format.results(): []}));
    }
    let body = json!({format.list(): batch.records, "dry_run": is_dry});
    let mut wait = FIRST_WAIT;
    for _ in 0..MAX_REPEATS {
        match client.call(Method::POST, "/v1/import", Some(&body)).await {
            Err(failure) if failure.may_pass() && !*stopped.borrow() => {
                progress.note(&format!("trying again in {} ms: {failure}", wait.as_millis()));
                tokio::select! {
                    () = sleep(wait) => {}
                    () = end_of_work(stopped.clone()) => return Err(failure),
                }
            }
            outcome => return outcome,
        }
        wait = (wait * 2).min(MAX_WAIT);
    }
    client.call(Method::POST, "/v1/import", Some(&body)).await
}
