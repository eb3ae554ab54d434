//! What is shown while a run is under way.

mod drawing;
mod plain;
mod screen;

use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::course::Course;
use crate::settings::Settings;

/// What a view is told of a run.
pub(crate) struct Scene<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) game: &'a str,
    pub(crate) course: &'a Course,
    pub(crate) elapsed: Duration,
    /// Whether the run ends early.
    pub(crate) stopping: bool,
}

/// A way to show a run.
pub(crate) enum View {
    Quiet,
    Plain(plain::Plain),
    Screen(Box<screen::Screen>),
}

impl View {
    /// The best that the terminal can show, if anything is to be shown.
    pub(crate) fn new(settings: &Settings) -> View {
        if settings.quiet {
            return View::Quiet;
        }
        if settings.plain || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return View::Plain(plain::Plain::default());
        }
        match screen::Screen::new() {
            Ok(screen) => View::Screen(Box::new(screen)),
            // A terminal that cannot be drawn on still takes lines.
            Err(_) => View::Plain(plain::Plain::default()),
        }
    }

    /// Shows how things stand. `told` says that a second is complete.
    pub(crate) fn show(&mut self, scene: &Scene<'_>, told: bool) {
        match self {
            View::Quiet => {}
            View::Plain(plain) if told => plain.show(scene),
            View::Plain(_) => {}
            View::Screen(screen) => screen.show(scene),
        }
    }

    /// Waits until somebody at the terminal wants the run to end.
    pub(crate) async fn interrupted(&mut self) {
        match self {
            View::Screen(screen) => screen.interrupted().await,
            View::Quiet | View::Plain(_) => std::future::pending().await,
        }
    }

    /// The terminal is as it was before.
    pub(crate) fn close(&mut self) {
        if let View::Screen(screen) = self {
            screen.close();
        }
    }
}
