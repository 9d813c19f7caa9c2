//! Matches on the kind of the store: the one place that knows whether this build has Redis.

/// Matches on a [`Store`](crate::store::Store) or a [`RecordReader`](crate::store::record_reader::RecordReader). A build
/// without the feature `redis` has the embedded store only, and drops the other arm.
#[cfg(feature = "redis")]
macro_rules! on_store {
    ($matching:expr) => {
        $matching
    };
}

#[cfg(not(feature = "redis"))]
macro_rules! on_store {
    (match $store:tt { Self::Memory($memory:pat) => $embedded:block Self::Redis($redis:pat) => $other:expr $(,)? }) => {
        match $store {
            Self::Memory($memory) => $embedded,
        }
    };
    (match $store:tt { Self::Memory($memory:pat) => $embedded:expr, Self::Redis($redis:pat) => $other:expr $(,)? }) => {
        match $store {
            Self::Memory($memory) => $embedded,
        }
    };
}

pub(crate) use on_store;
