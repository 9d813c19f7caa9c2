//! One setting: its names, its default, its help, and how openly it may be shown.

/// The prefix of every environment variable that Doorward reads.
pub(crate) const VARIABLE_PREFIX: &str = "DOORWARD_";

/// The path of the TOML file: the only setting that cannot be in that file.
pub(crate) const CONFIG: Setting = Setting::new("config", "PATH", "", "TOML file with settings").frequent();

/// The variables of the commands that call the admin plane. A server ignores them, so that both may have one environment.
/// They share the server's `DOORWARD_ADMIN_KEY` and `DOORWARD_ADMIN_KEY_FILE`.
pub(crate) const CLIENT_VARIABLES: [&str; 4] = [
    "DOORWARD_ADMIN_URL",
    "DOORWARD_ADMIN_CA_FILE",
    "DOORWARD_ADMIN_CLIENT_CERT",
    "DOORWARD_ADMIN_CLIENT_KEY",
];

/// How openly a setting may be given and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// Shown as it is.
    Public,
    /// Has a flag. Part of the value is secret: errors do not quote it, and `check-config` masks that part.
    Redacted,
    /// Has no flag, because process lists show flags. Never shown.
    Secret,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The TOML key. With `--` before it, the flag.
    pub(crate) name: &'static str,
    /// The name of its value in `--help`.
    pub(crate) value: &'static str,
    /// The text that is parsed if the setting is not given. An empty text means "unset" or "none".
    pub(crate) default: &'static str,
    /// One line for `--help`.
    pub(crate) help: &'static str,
    /// Takes several values: separated by commas or lines in a text, an array in TOML.
    pub(crate) is_list: bool,
    /// The values may also be named tables in TOML.
    pub(crate) may_be_tables: bool,
    /// Shown by `-h`; `--help` shows every setting.
    pub(crate) is_frequent: bool,
    pub(crate) exposure: Exposure,
    /// A running server takes a new value over. Any other setting needs a restart.
    pub(crate) is_reloadable: bool,
}

impl Setting {
    /// A public setting with one value.
    pub(crate) const fn new(
        name: &'static str,
        value: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        let exposure = Exposure::Public;
        Self {
            name,
            value,
            default,
            help,
            is_list: false,
            may_be_tables: false,
            is_frequent: false,
            exposure,
            is_reloadable: false,
        }
    }

    pub(crate) const fn frequent(self) -> Self {
        Self { is_frequent: true, ..self }
    }

    pub(crate) const fn list(self) -> Self {
        Self { is_list: true, ..self }
    }

    pub(crate) const fn tables(self) -> Self {
        Self { is_list: true, may_be_tables: true, ..self }
    }

    pub(crate) const fn redacted(self) -> Self {
        Self { exposure: Exposure::Redacted, ..self }
    }

    pub(crate) const fn secret(self) -> Self {
        Self { exposure: Exposure::Secret, ..self }
    }

    pub(crate) const fn reloadable(self) -> Self {
        Self { is_reloadable: true, ..self }
    }

    /// Returns the name of its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.replace('-', "_").to_ascii_uppercase())
    }

    /// Returns the name of the variable that holds the path of a file with the value; `None` for a public setting.
    pub(crate) fn file_variable(&self) -> Option<String> {
        self.may_be_in_a_file().then(|| self.variable() + "_FILE")
    }

    /// Returns the TOML key that holds the path of a file with the value; `None` for a public setting.
    pub(crate) fn file_key(&self) -> Option<String> {
        self.may_be_in_a_file().then(|| format!("{}-file", self.name))
    }

    fn may_be_in_a_file(&self) -> bool {
        self.exposure != Exposure::Public
    }
}
