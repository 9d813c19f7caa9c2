//! The program: its arguments, its output, its signals, and what its log must not show.

mod cli;
mod secrecy;
mod shutdown;
