//! The durability that a change needs before it is acknowledged.

/// The condition for which a change waits before it is acknowledged: the setting `durable-writes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DurableWrites {
    /// Nothing: the server has it in its memory.
    #[default]
    None,
    /// This many replicas have it.
    Replicas(u8),
    /// The server's append-only file has it on the disk.
    Disk,
}

impl DurableWrites {
    /// Returns whether changes wait for anything.
    pub fn is_on(self) -> bool {
        self != Self::None
    }
}
