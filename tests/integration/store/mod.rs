//! The store by itself: one contract for all variants, random histories, races, and what is particular to Redis.

mod contract;
mod model;
mod races;
mod redis;
