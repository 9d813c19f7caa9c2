//! The buffers of a thread's connections. A connection has some only while it reads, decides and answers: most connections
//! are idle at any time, and two buffers would be most of what an idle one holds.

use std::cell::RefCell;

/// The size of a new buffer.
pub(super) const BUFFER_BYTES: usize = 2 * 1024;
/// A larger buffer is freed when its connection gives it back.
pub(super) const KEPT_BYTES: usize = 8 * 1024;
/// The most buffers that a thread keeps for the next connections.
const KEPT_BUFFERS: usize = 64;

thread_local!(static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) });

/// Returns an empty buffer.
pub(super) fn take() -> Vec<u8> {
    KEPT.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
}

/// Takes a buffer back, with whatever is in it. It has no memory afterwards.
pub(super) fn give_back(buffer: &mut Vec<u8>) {
    let mut buffer = std::mem::take(buffer);
    buffer.clear();
    if (1..=KEPT_BYTES).contains(&buffer.capacity()) {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < KEPT_BUFFERS {
                kept.push(buffer);
            }
        });
    }
}
