//! `doorward verify`: damage is found and repaired, and a healthy store has none.

mod command;
mod damage;
mod kinds;
mod pace;
mod permissions;
mod support;
mod traffic;
