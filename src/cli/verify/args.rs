//! The options of `doorward verify`.

use clap::Args;

/// The options of `verify`.
#[derive(Args, Debug, PartialEq, Eq)]
pub struct VerifyArgs {
    /// Repair what is found
    #[arg(long)]
    pub repair: bool,
    /// Most keys and members to look at in a second
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: u64,
    /// Show user names in examples
    #[arg(long)]
    pub show_users: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
