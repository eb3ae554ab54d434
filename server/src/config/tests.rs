use std::collections::HashMap;

use super::*;

/// What the flags, variables and a file give.
fn sources(
    flags: &[&str],
    variables: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Config, ConfigError> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let arguments = ["tickwire"].iter().chain(flags).map(OsString::from);
    let kept = file.map(|text| {
        let name = format!("tickwire-{}-{:p}.toml", std::process::id(), text.as_ptr());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        path
    });
    let config = Config::from_sources(arguments, |name| match (name, &kept) {
        ("TICKWIRE_CONFIG", Some(path)) => Some(path.into()),
        _ => variables.get(name).map(OsString::from),
    });
    if let Some(path) = kept {
        std::fs::remove_file(path).unwrap();
    }
    config
}

fn error(flags: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> String {
    sources(flags, variables, file).unwrap_err().to_string()
}

#[test]
fn nothing_given_is_the_default() {
    assert_eq!(sources(&[], &[], None).unwrap(), Config::default());
    assert_eq!(sources(&[], &[], Some("")).unwrap(), Config::default());
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_the_file() {
    let file = Some("workers = 3\nrooms_max = 3\nseats_max = 3\n");
    let variables = [("TICKWIRE_WORKERS", "2"), ("TICKWIRE_ROOMS_MAX", "2")];
    let config = sources(&["--workers", "1"], &variables, file).unwrap();
    assert_eq!((config.workers, config.rooms_max, config.seats_max), (1, 2, 3));
}

#[test]
fn flags_variables_and_the_file_say_the_same() {
    let values = [
        ("listen", "[::1]:80"),
        ("workers", "4"),
        ("worker_nice", "-4"),
        ("public_url", "https://play.example/"),
        ("origins", "https://a.example,http://b.example:8080"),
        ("origin_required", "true"),
        ("secret_key", "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"),
        ("tls_cert", "chain.pem"),
        ("tls_key", "key.pem"),
        ("rooms_max", "5"),
        ("seats_max", "6"),
        ("connections_max", "7"),
        ("seat_kept_s", "8"),
        ("stale_after_s", "9"),
        ("dispose_after_s", "10"),
        ("drain_s", "11"),
        ("retry_after_s", "12"),
        ("huge_pages", "false"),
        ("log_level", "debug"),
        ("log_format", "json"),
    ];
    assert_eq!(values.map(|(name, _)| name).as_slice(), SETTINGS.map_names());
    let flags: Vec<_> =
        values.iter().map(|(name, value)| format!("--{}={value}", flag(name))).collect();
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let names = values.map(|(name, value)| (variable(name), value));
    let variables: Vec<_> = names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let file: String = values.map(|(name, value)| format!("{name} = {value:?}\n")).concat();
    let by_flags = sources(&flags, &[], None).unwrap();
    assert_eq!(by_flags, sources(&[], &variables, None).unwrap());
    assert_eq!(by_flags, sources(&[], &[], Some(&file)).unwrap());
    let default = Config::default();
    assert_ne!(by_flags.drain, default.drain);
    assert_ne!(by_flags.secret_key, default.secret_key);
}

/// The names in the table.
trait MapNames {
    fn map_names(&self) -> Vec<&'static str>;
}

impl MapNames for [Setting] {
    fn map_names(&self) -> Vec<&'static str> {
        self.iter().map(|setting| setting.name).collect()
    }
}

#[test]
fn the_file_may_use_the_types_of_toml() {
    let file = "workers = 4\norigin_required = true\norigins = [\"https://a.example\"]\n";
    let config = sources(&[], &[], Some(file)).unwrap();
    assert!(config.origin_required);
    assert_eq!(config.workers, 4);
    assert_eq!(config.origins, AllowedOrigins::Only(vec!["https://a.example".to_owned()]));
}

#[test]
fn a_number_may_be_negative() {
    for flags in [["--worker-nice", "-5"].as_slice(), &["--worker-nice=-5"]] {
        assert_eq!(sources(flags, &[], None).unwrap().worker_nice, -5);
    }
    assert_eq!(sources(&[], &[], Some("worker_nice = -5")).unwrap().worker_nice, -5);
    assert_eq!(
        error(&["--worker-nice", "-21"], &[], None),
        "\"-21\" of the flag --worker-nice is not a number from -20 to 19"
    );
}

#[test]
fn a_bad_value_names_itself_and_where_it_came_from() {
    assert_eq!(
        error(&["--workers", "many"], &[], None),
        "\"many\" of the flag --workers is not a number from 0 to 1024"
    );
    assert_eq!(
        error(&[], &[("TICKWIRE_LISTEN", "localhost")], None),
        "\"localhost\" of the variable TICKWIRE_LISTEN is not an address and a port, such as \
         127.0.0.1:7777"
    );
    let text = error(&[], &[], Some("log_level = \"loud\""));
    assert!(text.starts_with("\"loud\" of `log_level` in "), "{text}");
    assert!(text.ends_with(".toml is not one of error, warn, info, debug, trace"), "{text}");
    for bad in ["https://play.example/path", "play.example", "https://", "https://A.example", ""] {
        let text = error(&["--origins", bad], &[], None);
        assert!(text.contains("the flag --origins is not an origin"), "{text}");
    }
}

#[test]
fn a_bad_value_beaten_by_a_good_one_is_still_refused() {
    let text = error(&["--workers", "1"], &[("TICKWIRE_WORKERS", "many")], None);
    assert!(text.contains("TICKWIRE_WORKERS"), "{text}");
}

#[test]
fn a_secret_is_not_repeated() {
    let text = error(&[], &[("TICKWIRE_SECRET_KEY", "hunter2")], None);
    assert_eq!(text, "the value of the variable TICKWIRE_SECRET_KEY is not 64 hexadecimal digits");
    let key = "ab".repeat(32);
    let config = sources(&["--secret-key", &key], &[], None).unwrap();
    assert!(format!("{config:?}").contains("SecretKey(…)"));
}

#[test]
fn what_is_unknown_is_refused() {
    let text = error(&[], &[], Some("worker = 4"));
    assert!(text.ends_with(".toml: there is no setting `worker`"), "{text}");
    assert!(error(&["--worker", "4"], &[], None).contains("'--worker'"));
    let text = error(&[], &[], Some("workers = ["));
    assert!(text.contains("TOML parse error at line 1"), "{text}");
    let text = error(&["--config", "/nowhere/at/all"], &[], None);
    assert!(text.starts_with("/nowhere/at/all: "), "{text}");
}

#[test]
fn tls_needs_both_files() {
    assert_eq!(error(&["--tls-cert", "chain.pem"], &[], None), "tls_cert needs tls_key");
    assert_eq!(error(&["--tls-key", "key.pem"], &[], None), "tls_key needs tls_cert");
}

#[test]
fn help_explains_every_flag_and_says_its_default() {
    let help = sources(&["--help"], &[], None).unwrap_err();
    assert!(is_help(&help));
    assert_eq!(help.exit_code(), 0);
    let help = help.to_string();
    for setting in SETTINGS {
        assert!(help.contains(&format!("--{} <{}>", flag(setting.name), setting.value)));
    }
    assert_eq!(help.matches("[default: ").count(), SETTINGS.len());
    assert_eq!(sources(&["--nonsense"], &[], None).unwrap_err().exit_code(), 2);
}
