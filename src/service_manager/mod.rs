//! The service manager that started the process, such as systemd: the reports to it, by the protocol of sd_notify(3).
//!
//! | part | what it is |
//! |---|---|
//! | `manager` | the messages, and the settings that the manager gives in the environment |
//! | `socket` | sends one message |
//!
//! Without `NOTIFY_SOCKET`, nothing is sent. A message that cannot be sent is logged and harms nothing else.

pub mod manager;
mod socket;

pub use self::manager::ServiceManager;
