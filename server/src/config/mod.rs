//! What the server can be told: by flags, by `TICKWIRE_*` variables, and by a TOML
//! file, in this order of precedence.
//!
//! One table, in `settings`, names each setting, explains it, and says how its
//! text is read; flags, variables, file and `--help` all come from it. A value
//! that is not good is refused with its name and where it came from.

mod settings;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command};

use crate::token::KEY_BYTES;
use settings::{SETTINGS, Setting};

/// The name of the setting that is not in the file, because it names the file.
const CONFIG: &str = "config";
const CONFIG_HELP: &str = "A TOML file with any of these settings, with `_` for `-`";

/// The settings of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// Worker threads; 0 is one for each core.
    pub workers: usize,
    /// What workers add to the niceness of the server, on Linux; below 0 they come before what
    /// else runs on their cores. Without the right to that they stay as they are.
    pub worker_nice: i32,
    /// What clients call this server, if it is not what they connect to.
    pub public_url: Option<String>,
    /// Which web pages may connect.
    pub origins: AllowedOrigins,
    /// Whether clients without an origin, which are not browsers, are refused.
    pub origin_required: bool,
    /// Signs tokens; none is a random one for this run.
    pub secret_key: Option<SecretKey>,
    /// The chain of certificates and the key of TLS, both PEM files.
    pub tls: Option<TlsFiles>,
    /// Most rooms.
    pub rooms_max: usize,
    /// Most seats of a room, if its game does not say less.
    pub seats_max: usize,
    /// Most connections, of any kind.
    pub connections_max: usize,
    /// How long a seat waits for a player who lost the connection.
    pub seat_kept_for: Duration,
    /// A client that acknowledges nothing for so long is disconnected.
    pub stale_after: Duration,
    /// How long an empty room stays.
    pub dispose_after: Duration,
    /// Time that connections get to end when the server stops.
    pub drain: Duration,
    /// When clients may come back after a restart, at the earliest.
    pub retry_after: Duration,
    /// Whether memory is put into huge pages, where the machine has them.
    pub huge_pages: bool,
    /// What is logged.
    pub log_level: LogLevel,
    /// How it is logged.
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 7777)),
            workers: 0,
            worker_nice: -10,
            public_url: None,
            origins: AllowedOrigins::Own,
            origin_required: false,
            secret_key: None,
            tls: None,
            rooms_max: 1000,
            seats_max: 1000,
            connections_max: 10_000,
            seat_kept_for: Duration::from_secs(30),
            stale_after: Duration::from_secs(10),
            dispose_after: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            retry_after: Duration::from_secs(1),
            huge_pages: true,
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
        }
    }
}

/// Which web pages may connect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AllowedOrigins {
    /// Those of this server: its public URL, and if it listens on loopback, that.
    Own,
    /// Any.
    Any,
    /// Those of exactly these origins, and this server's own.
    Only(Vec<String>),
}

/// A key for tokens. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub [u8; KEY_BYTES]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// The files of TLS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsFiles {
    /// The chain of certificates, the server's first.
    pub certificates: PathBuf,
    /// The private key of the first.
    pub key: PathBuf,
}

/// The least important events that are logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "they are the levels that everybody knows")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object.
    Json,
}

/// Where a setting came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A flag.
    Flag,
    /// A variable of the environment.
    Variable,
    /// The file.
    File(PathBuf),
}

/// The settings cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// A value is not good.
    Value {
        /// The setting.
        setting: &'static str,
        /// The value; nothing if it is secret.
        value: Option<String>,
        /// Where it came from.
        source: Source,
        /// What is expected.
        expected: String,
    },
    /// The file cannot be read, or is not TOML.
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file has a setting that does not exist.
    Unknown {
        /// Which file.
        path: PathBuf,
        /// The setting.
        name: String,
    },
    /// Two settings do not go together.
    Together(&'static str),
    /// The flags are not good, or ask for help or the version.
    Flags(clap::Error),
}

impl ConfigError {
    /// What a program that ends with it returns: 0 after help and version, else 2.
    pub fn exit_code(&self) -> u8 {
        match self {
            ConfigError::Flags(error) if !error.use_stderr() => 0,
            _ => 2,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Value { setting, value, source, expected } => {
                let place = match source {
                    Source::Flag => format!("the flag --{}", flag(setting)),
                    Source::Variable => format!("the variable {}", variable(setting)),
                    Source::File(path) => format!("`{setting}` in {}", path.display()),
                };
                match value {
                    Some(value) => write!(f, "{value:?} of {place} is not {expected}"),
                    None => write!(f, "the value of {place} is not {expected}"),
                }
            }
            ConfigError::File { path, why } => write!(f, "{}: {why}", path.display()),
            ConfigError::Unknown { path, name } => {
                write!(f, "{}: there is no setting `{name}`", path.display())
            }
            ConfigError::Together(why) => f.write_str(why),
            ConfigError::Flags(error) => write!(f, "{}", error.render()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The settings that the arguments of a program (its name first) and the
    /// variables give.
    ///
    /// # Errors
    /// If a value is not good, or something is unknown.
    pub fn from_sources(
        arguments: impl IntoIterator<Item = OsString>,
        variables: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Config, ConfigError> {
        let matches = command().try_get_matches_from(arguments).map_err(ConfigError::Flags)?;
        let given = |name: &str| {
            let set = matches.value_source(name) == Some(ValueSource::CommandLine);
            set.then(|| matches.get_one::<String>(name).cloned()).flatten()
        };
        let mut config = Config::default();
        let file = match given(CONFIG) {
            Some(path) => Some(path.into()),
            None => variables(&variable(CONFIG)).map(PathBuf::from),
        };
        if let Some(path) = file {
            config.apply_file(&path)?;
        }
        for setting in SETTINGS {
            if let Some(value) = variables(&variable(setting.name)) {
                // What is not Unicode is no good value of any setting.
                config.apply(setting, &value.to_string_lossy(), Source::Variable)?;
            }
        }
        for setting in SETTINGS {
            if let Some(value) = given(setting.name) {
                config.apply(setting, &value, Source::Flag)?;
            }
        }
        config.judge()?;
        Ok(config)
    }

    fn apply_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let bad = |why: String| ConfigError::File { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // Its text shows the place, on several lines.
            bad(error.to_string().trim_end().to_owned())
        })?;
        for (name, value) in table {
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                return Err(ConfigError::Unknown { path: path.to_owned(), name });
            };
            let text = plain(&value);
            self.apply(setting, &text, Source::File(path.to_owned()))?;
        }
        Ok(())
    }

    fn apply(&mut self, setting: &Setting, value: &str, source: Source) -> Result<(), ConfigError> {
        (setting.read)(self, value).map_err(|expected| ConfigError::Value {
            setting: setting.name,
            value: (!setting.secret).then(|| value.to_owned()),
            source,
            expected,
        })
    }

    /// Looks at settings together.
    fn judge(&mut self) -> Result<(), ConfigError> {
        let Some(tls) = &self.tls else { return Ok(()) };
        let empty = |path: &Path| path.as_os_str().is_empty();
        match (empty(&tls.certificates), empty(&tls.key)) {
            (true, true) => self.tls = None,
            (true, false) => return Err(ConfigError::Together("tls_key needs tls_cert")),
            (false, true) => return Err(ConfigError::Together("tls_cert needs tls_key")),
            (false, false) if cfg!(not(feature = "tls")) => {
                return Err(ConfigError::Together("this program was built without TLS"));
            }
            (false, false) => {}
        }
        Ok(())
    }
}

/// The text of a value in the file: what a flag would say.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(truth) => truth.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
        // No setting is a table: it is refused by what it is.
        toml::Value::Table(_) => "a table".to_owned(),
    }
}

fn flag(name: &str) -> String {
    name.replace('_', "-")
}

fn variable(name: &str) -> String {
    format!("TICKWIRE_{}", name.to_uppercase())
}

fn command() -> Command {
    let argument = |name: &'static str, value: &'static str, help: String| {
        let long = flag(name);
        Arg::new(name)
            .long(long)
            .value_name(value)
            .help(help)
            .action(ArgAction::Set)
            .allow_negative_numbers(true)
    };
    let mut command = Command::new("tickwire")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A real-time multiplayer game state server")
        .after_help(
            "Each setting can also be given by a variable (TICKWIRE_LISTEN for --listen) or in \
             the file. A flag beats a variable, a variable the file.\n\
             SIGTERM or Ctrl-C stops the server in good order, with exit code 0; a second one \
             at once, with 143 or 130. Settings that cannot be used: 2.\n\
             `tickwire schema GAME` prints what a game replicates; with --ts as TypeScript.",
        )
        .arg(argument(CONFIG, "FILE", CONFIG_HELP.to_owned()));
    let defaults = Config::default();
    for setting in SETTINGS {
        let help = format!("{} [default: {}]", setting.help, (setting.show)(&defaults));
        command = command.arg(argument(setting.name, setting.value, help));
    }
    command
}

/// Whether an error is the text of `--help` or `--version`.
pub fn is_help(error: &ConfigError) -> bool {
    matches!(error, ConfigError::Flags(error)
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion))
}

#[cfg(test)]
mod tests;
