//! Reads the message of a call, with a bound on the memory that the messages of a connection take.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::status::{GrpcCallError, GrpcCode};

/// The most bytes of a message. Envoy accepts heads of up to 60 KiB and sends certificates beside them.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// The most bytes of undecoded messages that a connection holds; further calls are denied with 503. Envoy sends messages
/// one after the other, so few are incomplete at any time.
const MAX_HELD_MESSAGE_BYTES: usize = 4 * MAX_MESSAGE_BYTES;
/// The bytes before a message: one for compression and four for its length.
pub(super) const PREFIX_BYTES: usize = 5;

/// The memory left for the messages of one connection.
#[derive(Clone)]
pub struct MessageMemory(Arc<Semaphore>);

impl Default for MessageMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_HELD_MESSAGE_BYTES)))
    }
}

/// A message and its share of the memory.
pub(super) struct HeldMessage {
    /// The message, with the prefix.
    bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl MessageMemory {
    /// Reads the one message of a call.
    pub(super) async fn read(&self, mut body: Incoming) -> Result<HeldMessage, GrpcCallError> {
        let mut message = HeldMessage { bytes: Vec::new(), share: None };
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err((GrpcCode::InvalidArgument, "the message broke off")) };
            let Ok(data) = frame.into_data() else { continue };
            if message.bytes.len() + data.len() > MAX_MESSAGE_BYTES + PREFIX_BYTES {
                return Err((GrpcCode::ResourceExhausted, "the message is too long"));
            }
            let more = self.0.clone().try_acquire_many_owned(data.len() as u32);
            let Ok(more) = more else { return Err((GrpcCode::Unavailable, "too many messages at once")) };
            match &mut message.share {
                Some(share) => share.merge(more),
                none => *none = Some(more),
            }
            // Copied, because a frame, however short, keeps the whole buffer that it was read into.
            message.bytes.extend_from_slice(&data);
        }
        message.check_prefix()?;
        Ok(message)
    }
}

impl HeldMessage {
    fn check_prefix(&self) -> Result<(), GrpcCallError> {
        let prefix = self.bytes.split_first_chunk::<PREFIX_BYTES>();
        let Some((&[is_compressed, length @ ..], content)) = prefix else {
            return Err((GrpcCode::InvalidArgument, "there is no message"));
        };
        if is_compressed != 0 {
            return Err((GrpcCode::Unimplemented, "compressed messages are not supported"));
        }
        if usize::try_from(u32::from_be_bytes(length)) != Ok(content.len()) {
            return Err((GrpcCode::InvalidArgument, "there is not one whole message"));
        }
        Ok(())
    }

    pub(super) fn content(&self) -> &[u8] {
        self.bytes.get(PREFIX_BYTES..).unwrap_or_default()
    }
}
