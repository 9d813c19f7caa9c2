//! Random histories, run on the embedded store and on Redis: both must agree after every step. The embedded store is
//! simple enough to serve as the model. Also, Redis must keep nothing for longer than needed.

mod audit;
mod compare;
mod histories;
mod lost_data;
mod merged;
mod merging;
mod ops;
mod raw_keys;
mod steps;
mod values;
mod world;
