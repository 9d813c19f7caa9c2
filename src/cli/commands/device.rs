//! `doorward device`.

use clap::Subcommand;
use hyper::Method;

use super::arguments::{device_uuid, user};
use super::with_secret::print_secret;
use crate::cli::admin::{AdminClient, Failure, segment};
use crate::cli::show::Output;

/// The order of the most important fields of a device key.
const FIRST: &[&str] = &["uuid", "user", "is_active", "name", "created_at", "last_login"];

/// The commands about one device key.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Give a device key a new login token and print it, which is shown only once; the old one is refused at once
    Rotate {
        /// User whose device key it is
        #[arg(value_parser = user)]
        user: String,
        /// Uuid of the device key
        #[arg(value_parser = device_uuid, allow_hyphen_values = true)]
        uuid: String,
    },
}

/// Runs a command about one device key.
pub(crate) async fn run(
    client: &AdminClient,
    output: Output,
    command: &DeviceCommand,
) -> Result<(), Failure> {
    let DeviceCommand::Rotate { user, uuid } = command;
    let path = format!("/v1/users/{}/devices/{}/rotate", segment(user), segment(uuid));
    let device = client.call(Method::POST, &path, None).await?;
    print_secret(output, &device, "login_token", FIRST)
}
