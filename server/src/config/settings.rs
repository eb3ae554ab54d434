//! The table of settings: the one place where each has its name, its help, and
//! its way from text.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{AllowedOrigins, Config, LogFormat, LogLevel, SecretKey, TlsFiles};
use crate::token::KEY_BYTES;

/// One setting.
pub(super) struct Setting {
    /// Its name in the file; with `-` for `_` its flag.
    pub(super) name: &'static str,
    /// What its value is, in one word.
    pub(super) value: &'static str,
    pub(super) help: &'static str,
    /// Whether its value must not be shown.
    pub(super) secret: bool,
    /// Reads the text of a value, or says what is expected.
    pub(super) read: fn(&mut Config, &str) -> Result<(), String>,
    /// The value in words.
    pub(super) show: fn(&Config) -> String,
}

const SECONDS_MAX: u64 = 24 * 3600;

/// A setting that reads its field and shows it.
macro_rules! setting {
    ($field:ident, $value:literal, $help:literal, $read:expr, $show:expr) => {
        Setting {
            name: stringify!($field),
            value: $value,
            help: $help,
            secret: false,
            read: |config, text| {
                config.$field = $read(text)?;
                Ok(())
            },
            show: |config| $show(&config.$field),
        }
    };
}

/// A time, by its field; the setting has its unit in its name.
macro_rules! seconds {
    ($name:literal, $field:ident, $help:literal) => {
        Setting {
            name: $name,
            value: "SECONDS",
            help: $help,
            secret: false,
            read: |config, text| {
                config.$field = Duration::from_secs(number(0, SECONDS_MAX)(text)?);
                Ok(())
            },
            show: |config| config.$field.as_secs().to_string(),
        }
    };
}

/// All settings but the file's name.
pub(super) const SETTINGS: &[Setting] = &[
    setting!(
        listen,
        "ADDRESS",
        "Where to listen; port 0 is any free one",
        |text: &str| parsed(text, "an address and a port, such as 127.0.0.1:7777"),
        shown
    ),
    setting!(
        workers,
        "COUNT",
        "Worker threads, each with its own rooms; 0 is one for each core",
        number(0, 1024),
        shown
    ),
    setting!(
        worker_nice,
        "NICE",
        "What workers add to the niceness of the server, on Linux: below 0 they come before what \
         else runs on their cores. That takes CAP_SYS_NICE or a limit that allows it; without, \
         they stay as they are",
        number(-20, 19),
        shown
    ),
    setting!(
        public_url,
        "URL",
        "What clients call this server, if a proxy is in front of it",
        |text: &str| url(text).map(Some),
        |url: &Option<String>| url.clone().unwrap_or_else(|| "what they connected to".to_owned())
    ),
    setting!(
        origins,
        "ORIGINS",
        "Which web pages may connect: `own` for this server's, `*` for any, or a list of \
         origins, such as https://play.example, with commas between them",
        origins,
        |origins: &AllowedOrigins| match origins {
            AllowedOrigins::Own => "own".to_owned(),
            AllowedOrigins::Any => "*".to_owned(),
            AllowedOrigins::Only(list) => list.join(","),
        }
    ),
    setting!(
        origin_required,
        "BOOL",
        "Whether clients that name no origin, which are not browsers, are refused",
        |text: &str| parsed(text, "true or false"),
        shown
    ),
    Setting {
        name: "secret_key",
        value: "HEX",
        help: "Signs tokens: 64 hexadecimal digits. Servers with the same key take each other's \
               tokens. Other users of the machine can see flags: better use the variable",
        secret: true,
        read: |config, text| {
            config.secret_key = Some(secret(text)?);
            Ok(())
        },
        show: |_| "a new one at each start".to_owned(),
    },
    Setting {
        name: "tls_cert",
        value: "FILE",
        help: "The chain of certificates for TLS, in PEM",
        secret: false,
        read: |config, text| {
            config.tls.get_or_insert_with(TlsFiles::default).certificates = file(text)?;
            Ok(())
        },
        show: |_| "no TLS".to_owned(),
    },
    Setting {
        name: "tls_key",
        value: "FILE",
        help: "The private key for TLS, in PEM",
        secret: false,
        read: |config, text| {
            config.tls.get_or_insert_with(TlsFiles::default).key = file(text)?;
            Ok(())
        },
        show: |_| "no TLS".to_owned(),
    },
    setting!(rooms_max, "COUNT", "Most rooms", number(1, 1_000_000), shown),
    setting!(
        seats_max,
        "COUNT",
        "Most seats of a room, if its game does not say less",
        number(1, 100_000),
        shown
    ),
    setting!(
        connections_max,
        "COUNT",
        "Most connections; who comes then is asked to try later",
        number(1, 1_000_000),
        shown
    ),
    seconds!(
        "seat_kept_s",
        seat_kept_for,
        "How long a seat waits for a player who lost the connection"
    ),
    seconds!(
        "stale_after_s",
        stale_after,
        "A client that acknowledges nothing for so long is disconnected"
    ),
    seconds!("dispose_after_s", dispose_after, "How long a room without players stays"),
    seconds!("drain_s", drain, "Time that connections get to end when the server stops"),
    seconds!(
        "retry_after_s",
        retry_after,
        "When clients may come back after a restart, at the earliest"
    ),
    setting!(
        huge_pages,
        "BOOL",
        "Whether memory is put into huge pages, where the machine has them: faster with many \
         clients, and a little more memory",
        |text: &str| parsed(text, "true or false"),
        shown
    ),
    setting!(
        log_level,
        "LEVEL",
        "What is logged: error, warn, info, debug or trace",
        |text: &str| one_of(text, LEVELS),
        |level: &LogLevel| name_of(*level, LEVELS)
    ),
    setting!(
        log_format,
        "FORMAT",
        "How it is logged: text or json",
        |text: &str| one_of(text, FORMATS),
        |format: &LogFormat| name_of(*format, FORMATS)
    ),
];

const LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

fn shown(value: &impl Display) -> String {
    value.to_string()
}

fn parsed<T: FromStr>(text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_| expected.to_owned())
}

fn number<T>(least: T, most: T) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    move |text| {
        let number = text.parse().ok().filter(|number| *number >= least && *number <= most);
        number.ok_or_else(|| format!("a number from {least} to {most}"))
    }
}

fn one_of<T: Copy>(text: &str, all: &[(&str, T)]) -> Result<T, String> {
    let found = all.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}

fn name_of<T: PartialEq>(value: T, all: &[(&str, T)]) -> String {
    all.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name).to_owned()
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("the name of a file".to_owned()) } else { Ok(text.into()) }
}

/// An origin as browsers write it.
fn origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let good = |host: &str| {
        let known = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte)
        };
        !host.is_empty() && host.bytes().all(known)
    };
    match host {
        Some(host) if good(host) => Ok(text.to_owned()),
        _ => Err("an origin such as https://play.example, in lowercase and without a path \
                  (or `own`, or `*`)"
            .to_owned()),
    }
}

fn origins(text: &str) -> Result<AllowedOrigins, String> {
    match text.trim() {
        "own" => Ok(AllowedOrigins::Own),
        "*" => Ok(AllowedOrigins::Any),
        list => {
            let origins: Result<_, _> = list.split(',').map(|item| origin(item.trim())).collect();
            origins.map(AllowedOrigins::Only)
        }
    }
}

fn url(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    origin(text).map_err(|_| "a URL such as https://play.example, without a path".to_owned())
}

fn secret(text: &str) -> Result<SecretKey, String> {
    let expected = || format!("{} hexadecimal digits", 2 * KEY_BYTES);
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(expected());
    }
    let mut key = [0; KEY_BYTES];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| expected())?;
    }
    Ok(SecretKey(key))
}
