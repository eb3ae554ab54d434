//! The full-screen view: how a run goes, in a terminal of any size.
//!
//! A thread of its own waits for keys, since nothing else may. Whatever happens, the
//! terminal is given back as it was.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::{Scene, drawing};

/// How long the thread waits for a key before it looks whether it is still wanted.
const KEY_WITHIN: Duration = Duration::from_millis(100);

/// A terminal that is drawn on.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    keys: mpsc::UnboundedReceiver<()>,
    open: Arc<AtomicBool>,
}

impl Screen {
    pub(super) fn new() -> io::Result<Screen> {
        // Also gives the terminal back when the program panics.
        let terminal = ratatui::try_init()?;
        let (pressed, keys) = mpsc::unbounded_channel();
        let open = Arc::new(AtomicBool::new(true));
        let wanted = open.clone();
        let listening = thread::Builder::new().name("keys".to_owned());
        let started = listening.spawn(move || listen(&wanted, &pressed));
        let mut screen = Screen { terminal, keys, open };
        if let Err(error) = started {
            screen.close();
            return Err(error);
        }
        Ok(screen)
    }

    pub(super) fn show(&mut self, scene: &Scene<'_>) {
        // A frame that cannot be drawn is followed by others; the run goes on.
        let _ = self.terminal.draw(|frame| drawing::draw(frame, scene));
    }

    /// Waits for Ctrl-C or q, which the terminal does not turn into a signal now.
    pub(super) async fn interrupted(&mut self) {
        if self.keys.recv().await.is_none() {
            // The terminal is gone: nobody will press a key.
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn close(&mut self) {
        if self.open.swap(false, Ordering::Relaxed) {
            ratatui::restore();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells of each wish to end, until the view is closed.
fn listen(open: &AtomicBool, pressed: &mpsc::UnboundedSender<()>) {
    while open.load(Ordering::Relaxed) {
        match event::poll(KEY_WITHIN) {
            Ok(false) => {}
            Ok(true) => match event::read() {
                Ok(event) if ends(&event) && pressed.send(()).is_err() => return,
                Ok(_) => {}
                Err(_) => return,
            },
            Err(_) => return,
        }
    }
}

fn ends(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let control_c = key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL;
    key.kind == KeyEventKind::Press && (control_c || key.code == KeyCode::Char('q'))
}
