//! TLS: the session moves as it is; only the socket below it is taken off one
//! runtime and put on another.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use super::sockets::{SocketKey, Sockets};
use super::transport::{Settled, Transport, pass_through, settles_as_it_is};
use super::{Limits, WebSocket};

pub use tokio_rustls::TlsAcceptor;

/// A TCP stream that can leave its runtime in place.
#[derive(Debug)]
pub struct Portable(Place);

#[derive(Debug)]
enum Place {
    Here(TcpStream),
    Parked(std::net::TcpStream),
    /// The operating system refused to move it.
    Lost,
}

impl Portable {
    /// On the runtime that accepted it.
    pub fn new(stream: TcpStream) -> Portable {
        Portable(Place::Here(stream))
    }

    fn park(&mut self) -> io::Result<()> {
        if let Place::Here(stream) = std::mem::replace(&mut self.0, Place::Lost) {
            self.0 = Place::Parked(stream.into_std()?);
        }
        Ok(())
    }

    fn resume(&mut self) -> io::Result<()> {
        if let Place::Parked(stream) = std::mem::replace(&mut self.0, Place::Lost) {
            self.0 = Place::Here(TcpStream::from_std(stream)?);
        }
        Ok(())
    }
}

impl AsyncRead for Portable {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Place::Here(stream) => Pin::new(stream).poll_read(cx, buf),
            Place::Parked(_) | Place::Lost => Poll::Ready(Err(lost())),
        }
    }
}

impl AsyncWrite for Portable {
    pass_through!(this => match &mut this.0 {
        Place::Here(stream) => stream,
        Place::Parked(_) | Place::Lost => return Poll::Ready(Err(lost())),
    });

    fn is_write_vectored(&self) -> bool {
        true
    }
}

fn lost() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl Transport for TlsStream<Portable> {
    type Parked = Self;
    type Settled = Self;
    type Read = ReadHalf<Self>;
    type Write = WriteHalf<Self>;

    fn park(mut self) -> io::Result<Self> {
        self.get_mut().0.park()?;
        Ok(self)
    }

    fn settle(mut parked: Self, _: &Sockets) -> io::Result<Self> {
        parked.get_mut().0.resume()?;
        Ok(parked)
    }

    fn into_socket(self, unread: &[u8], limits: &Limits) -> WebSocket<Self::Read, Self::Write> {
        WebSocket::over(self, unread, limits)
    }

    fn from_socket(socket: WebSocket<Self::Read, Self::Write>) -> Option<(Self, Bytes)> {
        socket.into_stream()
    }
}

impl Settled for TlsStream<Portable> {
    settles_as_it_is!(TlsStream<Portable>);
}

/// The certificate or its key cannot be used.
#[derive(Debug)]
pub struct TlsError {
    /// The file that is the reason.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for TlsError {}

/// Accepts TLS with a chain of certificates and a key, both PEM files.
///
/// # Errors
/// If a file cannot be read, or the two do not belong together.
pub fn acceptor(certificates: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let bad = |file: &Path, why: &dyn fmt::Display| TlsError {
        file: file.to_owned(),
        why: why.to_string(),
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect)
        .map_err(|error| bad(certificates, &error))?;
    if chain.is_empty() {
        return Err(bad(certificates, &"no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| bad(key, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
