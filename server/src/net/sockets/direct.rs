//! One socket of a set: read and written without Tokio's help.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::set::SOCKET;
use super::{Ready, SocketKey, Sockets};
use crate::net::{Limits, Settled, WebSocket};

/// What is known of a socket, and who waits for it. What each read and write touches
/// comes first, in one cache line.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Socket {
    stream: TcpStream,
    /// A read may find something.
    readable: Cell<bool>,
    /// A write may find room: not from when the kernel was full until it says
    /// otherwise, which it does when there is more room than for a few bytes.
    writable: Cell<bool>,
    /// The peer will send nothing more: reads go on until they say so.
    closed: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    key: SocketKey,
    set: Sockets,
}

impl Socket {
    /// Takes in what the kernel tells; the owner if it has something to do. Without one, those
    /// who wait are woken.
    pub(super) fn learn(
        &self,
        news: EventFlags,
        owner: Option<Rc<dyn Ready>>,
    ) -> Option<Rc<dyn Ready>> {
        let gone = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        let reads = news.intersects(EventFlags::IN | gone);
        if reads {
            self.readable.set(true);
        }
        if news.intersects(gone) {
            self.closed.set(true);
        }
        let writes = news.intersects(EventFlags::OUT | gone);
        if writes {
            self.writable.set(true);
        }
        let writer = writes.then(|| self.writer.take()).flatten();
        match owner {
            Some(owner) => (reads || writer.is_some()).then_some(owner),
            None => {
                let reader = reads.then(|| self.reader.take()).flatten();
                reader.into_iter().chain(writer).for_each(Waker::wake);
                None
            }
        }
    }

    /// Goes from one set to another, which tells its state anew.
    pub(super) fn move_to(
        &self,
        from: &OwnedFd,
        to: &OwnedFd,
        data: EventData,
    ) -> rustix::io::Result<()> {
        epoll::add(to, &self.stream, data, SOCKET)?;
        epoll::delete(from, &self.stream)
    }

    /// Ends it, and has those who wait learn it.
    pub(super) fn shut(&self) {
        // It has ended already if that fails.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.learn(EventFlags::HUP, None);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.set.forget(self.key);
    }
}

/// A socket of a set, whole.
#[derive(Debug)]
pub struct Direct(Rc<Socket>);

/// The half of a [`Direct`] that reads.
#[derive(Debug)]
pub struct DirectRead(pub(super) Rc<Socket>);

/// The half of a [`Direct`] that writes.
#[derive(Debug)]
pub struct DirectWrite(Rc<Socket>);

impl Direct {
    pub(super) fn new(stream: TcpStream, key: SocketKey, set: Sockets) -> Direct {
        Direct(Rc::new(Socket {
            stream,
            readable: Cell::new(true),
            writable: Cell::new(true),
            closed: Cell::new(false),
            reader: RefCell::default(),
            writer: RefCell::default(),
            key,
            set,
        }))
    }

    pub(super) fn socket(&self) -> &Rc<Socket> {
        &self.0
    }
}

impl Settled for Direct {
    type Read = DirectRead;
    type Write = DirectWrite;

    fn key(&self) -> Option<SocketKey> {
        Some(self.0.key)
    }

    fn is_drained(read: &DirectRead) -> bool {
        !read.0.readable.get()
    }

    fn warm(write: &DirectWrite) {
        black_box(write.0.writable.get());
    }

    fn into_socket(self, unread: &[u8], limits: &Limits) -> WebSocket<DirectRead, DirectWrite> {
        let read = DirectRead(Rc::clone(&self.0));
        WebSocket::new(read, DirectWrite(self.0), unread, limits)
    }
}

impl AsyncRead for DirectRead {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &*self.0;
        while socket.readable.get() {
            let room = buf.initialize_unfilled();
            let asked = room.len();
            match recv(&socket.stream, room, RecvFlags::DONTWAIT) {
                Ok((count, _)) => {
                    // Less than was asked for is all that there is.
                    if count < asked && !socket.closed.get() {
                        socket.readable.set(false);
                    }
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::AGAIN) => socket.readable.set(false),
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        wait(&socket.reader, cx);
        Poll::Pending
    }
}

impl DirectWrite {
    fn write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream, SendFlags) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.0.writable.get() {
            match write(&self.0.stream, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.0.writable.set(false),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        wait(&self.0.writer, cx);
        Poll::Pending
    }
}

impl AsyncWrite for DirectWrite {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, flags| send(stream, buf, flags))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, flags| {
            sendmsg(stream, bufs, &mut SendAncillaryBuffer::default(), flags)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.stream.shutdown(Shutdown::Write))
    }
}

/// Has the task be woken.
fn wait(place: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    let mut place = place.borrow_mut();
    if !place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *place = Some(cx.waker().clone());
    }
}
