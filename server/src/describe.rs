//! `tickwire schema GAME`: what a game replicates and says, for people or as the
//! types of its JavaScript clients.

mod typescript;

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};
use tickwire::game::{Game, schema_of};
use tickwire_protocol::schema::{Schema, SchemaError};

use crate::{Register, games};

/// The first argument that asks for this.
pub(crate) const NAME: &str = "schema";

/// Why nothing is printed: a text for people, and an exit code.
pub(crate) struct Failed {
    /// Ends with a line feed.
    pub(crate) text: String,
    /// 0 if it is what was asked for, as with `--help`.
    pub(crate) exit_code: u8,
}

/// What is to be printed, given the arguments after the program's name.
pub(crate) fn describe(arguments: impl Iterator<Item = OsString>) -> Result<String, Failed> {
    let matches = command().try_get_matches_from(arguments).map_err(|error| Failed {
        text: error.to_string(),
        exit_code: u8::try_from(error.exit_code()).unwrap_or(2),
    })?;
    let name = matches.get_one::<String>("game").map(String::as_str).unwrap_or_default();
    let found = games(Schemas::default()).0.into_iter().find(|(game, _)| *game == name);
    let schema = match found {
        Some((_, schema)) => schema.map_err(|error| error.to_string()),
        None => Err(format!("there is no game {name:?}; there is {}", known())),
    };
    let schema = schema.map_err(|why| Failed { text: format!("{why}\n"), exit_code: 2 })?;
    let wants_types = matches.get_flag("ts");
    Ok(if wants_types { typescript::types_of(name, &schema) } else { schema.to_string() })
}

fn command() -> Command {
    Command::new("tickwire schema")
        .about("Prints what a game replicates, and what is said in it")
        .arg(Arg::new("game").value_name("GAME").required(true).help("Its name, as `arena`"))
        .arg(
            Arg::new("ts")
                .long("ts")
                .action(ArgAction::SetTrue)
                .help("As TypeScript, for the JavaScript client"),
        )
}

fn known() -> String {
    let names: Vec<_> = games(Schemas::default()).0.into_iter().map(|(name, _)| name).collect();
    names.join(", ")
}

/// The schemas of games, by name.
#[derive(Default)]
struct Schemas(Vec<(&'static str, Result<Schema, SchemaError>)>);

impl Register for Schemas {
    fn game<G: Game>(mut self) -> Schemas {
        self.0.push((G::NAME, schema_of::<G>()));
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn said(arguments: &[&str]) -> Result<String, (String, u8)> {
        let arguments = ["schema"].iter().chain(arguments).map(OsString::from);
        describe(arguments).map_err(|failed| (failed.text, failed.exit_code))
    }

    #[test]
    fn the_canonical_text_names_tables_and_messages() {
        let text = said(&["arena"]).unwrap();
        assert!(text.starts_with("table ships Ship\n  player u32\n"), "{text}");
        assert!(text.contains("\ninput\n  turn i8 -1..1\n"), "{text}");
    }

    #[test]
    fn types_are_typescript() {
        let text = said(&["arena", "--ts"]).unwrap();
        assert!(text.contains("export interface Ship {\n  player: number;\n"), "{text}");
        assert!(text.contains("\n    rename: { name: string };\n"), "{text}");
    }

    #[test]
    fn a_game_that_is_not_there_is_an_error_that_names_those_that_are() {
        let (text, code) = said(&["chess"]).unwrap_err();
        assert_eq!((text.as_str(), code), ("there is no game \"chess\"; there is arena\n", 2));
        assert_eq!(said(&[]).unwrap_err().1, 2);
        assert_eq!(said(&["--help"]).unwrap_err().1, 0);
    }
}
