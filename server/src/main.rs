//! The server as a program, with the built-in games.

mod describe;
mod descriptors;

use std::process::ExitCode;

use tickwire::config::{Config, LogFormat, LogLevel};
use tickwire::game::Game;
use tickwire::games::arena::Arena;
use tickwire::server::{Builder, Server};
use tracing_subscriber::filter::LevelFilter;

/// Exit code when the server cannot start.
const CANNOT_START: u8 = 1;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == describe::NAME) {
        return describe();
    }
    let config = match Config::from_sources(std::env::args_os(), |name| std::env::var_os(name)) {
        Ok(config) => config,
        Err(error) => {
            let code = error.exit_code();
            if code == 0 {
                print!("{error}");
            } else {
                eprintln!("{}", error.to_string().trim());
            }
            return ExitCode::from(code);
        }
    };
    log_to_stderr(&config);
    descriptors::make_room(config.connections_max);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(|error| error.to_string()).and_then(|it| it.block_on(run(config)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(CANNOT_START)
        }
    }
}

/// What games can be added to.
trait Register {
    /// Adds one.
    fn game<G: Game>(self) -> Self;
}

impl Register for Builder {
    fn game<G: Game>(self) -> Builder {
        Builder::game::<G>(self)
    }
}

/// Adds the built-in games.
fn games<R: Register>(to: R) -> R {
    to.game::<Arena>()
}

/// Prints what a game replicates.
fn describe() -> ExitCode {
    match describe::describe(std::env::args_os().skip(1)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failed) => {
            if failed.exit_code == 0 {
                print!("{}", failed.text);
            } else {
                eprint!("{}", failed.text);
            }
            ExitCode::from(failed.exit_code)
        }
    }
}

async fn run(config: Config) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("cannot see signals: {error}"))?;
    let server = games(Server::builder()).config(config).bind().await;
    let server = server.map_err(|error| error.to_string())?;
    println!("Tickwire is at {}/", server.url());
    server
        .run_until(async {
            signals.next().await;
            // Who asks twice does not want to wait.
            tokio::spawn(async move { std::process::exit(signals.next().await) });
        })
        .await;
    Ok(())
}

fn log_to_stderr(config: &Config) {
    let level = match config.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// The signals that ask a program to stop, with their exit codes.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {})
    }

    /// Waits for the next one: what a program exits with that it kills.
    #[cfg(unix)]
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => 128 + 15,
            _ = self.interrupt.recv() => 128 + 2,
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> i32 {
        // Where it cannot be seen, the system ends the program itself.
        let _ = tokio::signal::ctrl_c().await;
        128 + 2
    }
}
