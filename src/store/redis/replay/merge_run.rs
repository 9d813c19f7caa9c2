//! Runs script calls on a given connection, as pipelines.

use std::pin::pin;

use futures_util::{StreamExt as _, stream};
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisError, Value, pipe};

use super::merged::Merged;
use super::packed_fields::PackedFields;
use crate::store::redis::errors::{describe, error_code};
use crate::store::redis::schema::script::Script;

/// Calls in one pipeline.
const CALLS_PER_PIPELINE: usize = 64;
/// Bytes of arguments in one pipeline, if it has several calls.
const PIPELINE_BYTES: usize = 256 * 1024;
/// Pipelines under way at once: the server works on one while this node makes the next.
const PIPELINES_AT_ONCE: usize = 2;

/// Notes a command's answer in the result of the merge.
pub(super) type Note<'a> = Box<dyn FnOnce(&mut Merged, Value) + Send + 'a>;

/// A command, and what its answer changes in the result of the merge.
pub(super) struct MergeCall<'a> {
    pub(super) command: MergeCommand<'a>,
    pub(super) note: Note<'a>,
}

/// A command of a merge.
pub(super) enum MergeCommand<'a> {
    Script {
        script: &'a Script,
        /// One of the keys of the call.
        key: String,
        args: Vec<Vec<u8>>,
    },
    Plain(Cmd),
}

impl MergeCall<'_> {
    /// Adds an argument that is not text.
    pub(super) fn with_bytes(mut self, bytes: Vec<u8>) -> Self {
        if let MergeCommand::Script { args, .. } = &mut self.command {
            args.push(bytes);
        }
        self
    }

    /// Adds fields.
    pub(super) fn with_fields(self, fields: &PackedFields) -> Self {
        fields.parts().fold(self, |call, part| call.with_bytes(part.to_vec()))
    }

    fn bytes(&self) -> usize {
        match &self.command {
            MergeCommand::Script { args, .. } => args.iter().map(Vec::len).sum(),
            MergeCommand::Plain(_) => 0,
        }
    }

    /// Returns the command for a pipeline.
    fn command(&self) -> Cmd {
        match &self.command {
            MergeCommand::Script { script, key, args } => script.command(&[key], &slices(args)),
            MergeCommand::Plain(command) => command.clone(),
        }
    }
}

fn slices(args: &[Vec<u8>]) -> Vec<&[u8]> {
    args.iter().map(Vec::as_slice).collect()
}

/// What an error of one call means for the merge.
enum CallError {
    /// The server does not know the script by its hash.
    UnknownScript,
    /// The slot is moving, or has moved. Its next master gets what is remembered of it.
    SlotMoves,
    /// A record there is corrupt, which the next operation on it reports; or the memory is full.
    Refused,
    /// Nothing can be written.
    Fatal,
}

impl CallError {
    fn of(error: &RedisError) -> Self {
        match error.code().map(error_code).unwrap_or_default() {
            "NOSCRIPT" => Self::UnknownScript,
            "MOVED" | "ASK" | "TRYAGAIN" => Self::SlotMoves,
            "DWCORRUPT" | "WRONGTYPE" | "OOM" => Self::Refused,
            _ => Self::Fatal,
        }
    }
}

/// Makes the calls, and notes what they answer. Several may be under way at once.
///
/// # Errors
/// The connection broke, or the server refuses to be written to. Some of the calls may be done.
pub(super) async fn run(
    connection: &mut MultiplexedConnection,
    calls: Vec<MergeCall<'_>>,
    merged: &mut Merged,
) -> Result<(), RedisError> {
    let (shared, batches) = (connection.clone(), batches(calls));
    let pipelines: Vec<_> = batches.iter().map(|batch| (pipeline_of(batch), batch.len())).collect();
    let sent = stream::iter(pipelines).map(|pipeline| send(shared.clone(), pipeline));
    let mut answers = pin!(sent.buffered(PIPELINES_AT_ONCE));
    for batch in batches {
        let Some(answers) = answers.next().await else { break };
        for (call, answer) in batch.into_iter().zip(answers?) {
            note(connection, call, answer, merged).await?;
        }
    }
    Ok(())
}

/// Divides the calls into pipelines.
fn batches(calls: Vec<MergeCall<'_>>) -> Vec<Vec<MergeCall<'_>>> {
    let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for call in calls {
        bytes += call.bytes();
        batch.push(call);
        if batch.len() >= CALLS_PER_PIPELINE || bytes >= PIPELINE_BYTES {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
    }
    batches.extend((!batch.is_empty()).then_some(batch));
    batches
}

fn pipeline_of(batch: &[MergeCall<'_>]) -> Pipeline {
    let mut pipeline = pipe();
    for call in batch {
        pipeline.add_command(call.command());
    }
    pipeline
}

async fn send(
    mut connection: MultiplexedConnection,
    (pipeline, calls): (Pipeline, usize),
) -> Result<Vec<Value>, RedisError> {
    connection.req_packed_commands(&pipeline, 0, calls).await
}

async fn note(
    connection: &mut MultiplexedConnection,
    call: MergeCall<'_>,
    answer: Value,
    merged: &mut Merged,
) -> Result<(), RedisError> {
    merged.counts.sent += 1;
    let mut answer = answer.extract_error();
    if matches!(answer.as_ref().map_err(CallError::of), Err(CallError::UnknownScript))
        && let MergeCommand::Script { script, key, args } = &call.command
    {
        answer = script.run(connection, &[key], &slices(args)).await;
    }
    match answer {
        Ok(answer) => (call.note)(merged, answer),
        Err(error) => match CallError::of(&error) {
            CallError::SlotMoves => merged.counts.moved += 1,
            CallError::Refused => {
                merged.counts.failed += 1;
                tracing::warn!(error = describe(&error), "remembered change not merged");
            }
            CallError::UnknownScript | CallError::Fatal => return Err(error),
        },
    }
    Ok(())
}
