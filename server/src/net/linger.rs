//! A stream that is not cut off while the peer still talks.
//!
//! A socket that is dropped with unread bytes is reset, and a reset can overtake
//! the answer: a peer that sent 64 KiB of headers would never read its 431. So
//! shutting this stream down also reads, and throws away, what the peer sends
//! until it stops; within a time and a number of bytes. And a write that the peer
//! takes nothing of does not wait for ever.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::http::HttpLimits;
use super::limits::LINGER_BYTES_MAX;

/// Bytes that are thrown away at once.
const DISCARD_BYTES: usize = 4096;

/// The stream, until it is taken back for an upgrade or shut down.
pub(super) struct Linger<T> {
    stream: T,
    /// How long a shutdown waits for the peer.
    limit: Duration,
    /// How long a write does.
    stall: Duration,
    /// The end of the write that waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Set when the write half is shut down.
    goodbye: Option<Goodbye>,
}

/// What is left of the patience.
struct Goodbye {
    sleep: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<T> Linger<T> {
    pub(super) fn new(stream: T, limits: &HttpLimits) -> Self {
        let HttpLimits { linger: limit, stall, .. } = *limits;
        Self { stream, limit, stall, stalled: None, goodbye: None }
    }

    pub(super) fn into_inner(self) -> T {
        self.stream
    }

    /// What became of a write; an error if it has waited too long.
    fn within_stall<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall = self.stall;
        let end = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + stall)));
        end.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Goodbye {
    /// Ready when the peer is done, or has used up the patience.
    fn poll(&mut self, mut stream: Pin<&mut impl AsyncRead>, cx: &mut Context<'_>) -> Poll<()> {
        let mut discard = [0; DISCARD_BYTES];
        while self.bytes_left > 0 {
            let mut buffer = ReadBuf::new(&mut discard);
            match stream.as_mut().poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.bytes_left = self.bytes_left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => break,
                Poll::Pending => return self.sleep.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Linger<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.within_stall(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.within_stall(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.within_stall(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, limit, goodbye, .. } = self.get_mut();
        let goodbye = match goodbye {
            Some(goodbye) => goodbye,
            none => {
                ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                let sleep = Box::pin(sleep_until(Instant::now() + *limit));
                none.insert(Goodbye { sleep, bytes_left: LINGER_BYTES_MAX })
            }
        };
        goodbye.poll(Pin::new(stream), cx).map(Ok)
    }
}
