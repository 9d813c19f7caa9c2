//! Random histories, told to the embedded store and to Redis: both must say the same after every step. The
//! embedded one is simple enough to be believed. And Redis must keep nothing for longer than it is of use.

mod audit;
mod compare;
mod histories;
mod ops;
mod steps;
mod values;
mod world;
