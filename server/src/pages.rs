//! The web pages that a server carries: files in memory, by their paths.
//!
//! A game is at `/NAME/` if there is a file `NAME/index.html`; the front page then
//! links to it. Below `client/` is the JavaScript client and below `game/` what every
//! game's page needs, so the page of one's own game is a folder with an
//! `index.html` and its module:
//!
//! ```no_run
//! # fn run() -> std::io::Result<()> {
//! use tickwire::pages::Pages;
//! use tickwire::server::Server;
//!
//! // At /chess/, beside the front page.
//! let builder = Server::builder().pages(Pages::default().folder("chess", "web/chess")?);
//! // Or nothing but the API and the WebSocket.
//! let builder = Server::builder().pages(Pages::none());
//! # Ok(())
//! # }
//! ```
//!
//! Absent: how they are served (`http`).

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs, io};

use bytes::Bytes;

/// All files, with the paths at which they are served.
static BUILT_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Most folders within each other that [`Pages::folder`] looks into.
const DEPTH_MAX: usize = 8;

/// The files of web pages. The default is all that is built in.
#[derive(Clone)]
pub struct Pages {
    files: BTreeMap<String, File>,
}

/// A file as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) body: Bytes,
    /// The value of `Content-Type`.
    pub(crate) kind: &'static str,
    /// The value of `ETag`: equal for equal bodies.
    pub(crate) etag: String,
}

impl Default for Pages {
    fn default() -> Pages {
        let files = BUILT_IN.iter();
        files.fold(Pages::none(), |pages, (path, body)| pages.file(path, Bytes::from_static(body)))
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.keys()).finish()
    }
}

impl Pages {
    /// No pages: the server has its API and its WebSocket only.
    pub fn none() -> Pages {
        Pages { files: BTreeMap::new() }
    }

    /// Adds a file, or replaces it. The path is without a leading slash, such as
    /// `chess/index.html`; its extension decides about the type.
    pub fn file(mut self, path: &str, body: impl Into<Bytes>) -> Pages {
        let body = body.into();
        let etag = format!("\"{:016x}\"", fnv1a(&body));
        self.files.insert(path.to_owned(), File { kind: kind(path), etag, body });
        self
    }

    /// Adds all files of a folder on disk, as they are now, below `at`. Names that begin with a dot
    /// are left out.
    ///
    /// # Errors
    /// If the folder cannot be read, or is too deep (a link into itself is).
    pub fn folder(self, at: &str, folder: impl AsRef<Path>) -> io::Result<Pages> {
        self.nested(at.trim_matches('/'), folder.as_ref(), DEPTH_MAX)
    }

    fn nested(mut self, at: &str, folder: &Path, depth: usize) -> io::Result<Pages> {
        if depth == 0 {
            let why = format!("{} is too deep", folder.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let below = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
            if name.starts_with('.') {
            } else if path.is_dir() {
                self = self.nested(&below, &path, depth - 1)?;
            } else {
                self = self.file(&below, fs::read(&path)?);
            }
        }
        Ok(self)
    }

    /// The file that is served at a path of a URL.
    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        let path = path.strip_prefix('/')?;
        if path.is_empty() || path.ends_with('/') {
            return self.files.get(&format!("{path}index.html"));
        }
        self.files.get(path)
    }

    /// Where the page of a game is, if it has one.
    pub(crate) fn of_game(&self, name: &str) -> Option<String> {
        let at = format!("/{name}/");
        self.get(&at).is_some().then_some(at)
    }
}

/// The type of a file, by its extension; what is not known is not shown.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("mp3") => "audio/mpeg",
        Some("ogg") => "audio/ogg",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The 64-bit FNV-1a hash: files change by their makers, not by an attacker's choice.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
