//! Streams that carry a WebSocket, and what it takes to move one to the runtime
//! of a worker.
//!
//! A Tokio socket belongs to the runtime that made it. So a stream is *parked*
//! where it was accepted, sent, and *resumed* where its room lives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::sockets::{SocketKey, Sockets};
use super::{Limits, WebSocket};

/// A stream on the worker that keeps it: it need not move any more.
pub trait Settled: Unpin + Sized + 'static {
    /// What a WebSocket reads from.
    type Read: AsyncRead + Unpin + 'static;
    /// What a WebSocket writes to.
    type Write: AsyncWrite + Unpin + 'static;

    /// Its place among the worker's [`Sockets`], if it is read with them.
    fn key(&self) -> Option<SocketKey>;

    /// Whether a read would find nothing, and who owns the stream among [`Sockets`] is told
    /// when there is something again.
    fn is_drained(_: &Self::Read) -> bool {
        false
    }

    /// Brings what a write needs into the processor's cache. Nothing changes.
    fn warm(_: &Self::Write) {}

    /// A WebSocket over it, after the upgrade.
    fn into_socket(self, unread: &[u8], limits: &Limits) -> WebSocket<Self::Read, Self::Write>;
}

/// A stream that can carry a WebSocket and move to another runtime.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + Sized + 'static {
    /// The stream between two runtimes.
    type Parked: Send + 'static;
    /// The stream on a worker.
    type Settled: Settled;
    /// What a WebSocket reads from.
    type Read: AsyncRead + Unpin + Send + 'static;
    /// What a WebSocket writes to.
    type Write: AsyncWrite + Unpin + Send + 'static;

    /// Leaves the runtime.
    ///
    /// # Errors
    /// If the operating system refuses.
    fn park(self) -> io::Result<Self::Parked>;

    /// Enters the runtime of the caller, a worker with these sockets.
    ///
    /// # Errors
    /// If the operating system refuses.
    fn settle(parked: Self::Parked, sockets: &Sockets) -> io::Result<Self::Settled>;

    /// A WebSocket over it, after the upgrade.
    fn into_socket(self, unread: &[u8], limits: &Limits) -> WebSocket<Self::Read, Self::Write>;

    /// Takes the stream back from an idle WebSocket, with what was not read.
    fn from_socket(socket: WebSocket<Self::Read, Self::Write>) -> Option<(Self, Bytes)>;
}

impl Transport for TcpStream {
    type Parked = std::net::TcpStream;
    #[cfg(target_os = "linux")]
    type Settled = super::sockets::Direct;
    #[cfg(not(target_os = "linux"))]
    type Settled = TcpStream;
    type Read = OwnedReadHalf;
    type Write = OwnedWriteHalf;

    fn park(self) -> io::Result<Self::Parked> {
        self.into_std()
    }

    #[cfg(target_os = "linux")]
    fn settle(parked: Self::Parked, sockets: &Sockets) -> io::Result<Self::Settled> {
        sockets.add(parked)
    }

    #[cfg(not(target_os = "linux"))]
    fn settle(parked: Self::Parked, _: &Sockets) -> io::Result<Self::Settled> {
        TcpStream::from_std(parked)
    }

    fn into_socket(self, unread: &[u8], limits: &Limits) -> WebSocket<Self::Read, Self::Write> {
        WebSocket::tcp(self, unread, limits)
    }

    fn from_socket(socket: WebSocket<Self::Read, Self::Write>) -> Option<(Self, Bytes)> {
        socket.into_tcp()
    }
}

/// A stream that stays on its runtime, for servers that have only one: a
/// simulated network, say.
#[derive(Debug)]
pub struct Stays<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for Stays<S> {
    type Parked = Self;
    type Settled = Self;
    type Read = ReadHalf<Self>;
    type Write = WriteHalf<Self>;

    fn park(self) -> io::Result<Self> {
        Ok(self)
    }

    fn settle(parked: Self, _: &Sockets) -> io::Result<Self> {
        Ok(parked)
    }

    fn into_socket(self, unread: &[u8], limits: &Limits) -> WebSocket<Self::Read, Self::Write> {
        WebSocket::over(self, unread, limits)
    }

    fn from_socket(socket: WebSocket<Self::Read, Self::Write>) -> Option<(Self, Bytes)> {
        socket.into_stream()
    }
}

/// A stream that is read by Tokio settles as it is.
macro_rules! settles_as_it_is {
    ($stream:ty) => {
        type Read = <$stream as Transport>::Read;
        type Write = <$stream as Transport>::Write;

        fn key(&self) -> Option<SocketKey> {
            None
        }

        fn into_socket(self, unread: &[u8], limits: &Limits) -> WebSocket<Self::Read, Self::Write> {
            Transport::into_socket(self, unread, limits)
        }
    };
}

#[cfg(feature = "tls")]
pub(super) use settles_as_it_is;

#[cfg(not(target_os = "linux"))]
impl Settled for TcpStream {
    settles_as_it_is!(TcpStream);
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Settled for Stays<S> {
    settles_as_it_is!(Stays<S>);
}

/// Reads and writes through a field: the streams here add nothing to the bytes.
macro_rules! pass_through {
    ($self:ident => $inner:expr) => {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let $self = self.get_mut();
            Pin::new($inner).poll_write(cx, buf)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let $self = self.get_mut();
            Pin::new($inner).poll_write_vectored(cx, bufs)
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let $self = self.get_mut();
            Pin::new($inner).poll_flush(cx)
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let $self = self.get_mut();
            Pin::new($inner).poll_shutdown(cx)
        }
    };
}

#[cfg(feature = "tls")]
pub(super) use pass_through;

impl<S: AsyncRead + Unpin> AsyncRead for Stays<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stays<S> {
    pass_through!(this => &mut this.0);

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
