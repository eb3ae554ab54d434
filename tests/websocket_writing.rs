//! How the server's side of a WebSocket writes, closes and moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tickwire::net::{Ended, Flushed, Limits, Message, SendError, WebSocket};
use tickwire_protocol::close::CloseReason;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::Instant;
use wire::*;

/// A write half that counts its calls and takes a limited number of bytes.
struct Sink {
    calls: Rc<RefCell<Vec<Vec<u8>>>>,
    room: usize,
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        panic!("one slice at a time is one call at a time");
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.room == 0 {
            return Poll::Pending;
        }
        let mut bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        bytes.truncate(self.room);
        self.room -= bytes.len();
        let written = bytes.len();
        self.calls.borrow_mut().push(bytes);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A read half that gives one byte at every second poll.
struct Bytewise {
    bytes: VecDeque<u8>,
    waits: bool,
}

impl AsyncRead for Bytewise {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.waits = !self.waits;
        if self.waits {
            return Poll::Pending;
        }
        buf.put_slice(self.bytes.pop_front().as_slice());
        Poll::Ready(Ok(()))
    }
}

#[test]
fn twenty_frames_with_shared_chunks_are_one_call() {
    let calls = Rc::default();
    let sink = Sink { calls: Rc::clone(&calls), room: usize::MAX };
    let mut socket = WebSocket::new(tokio::io::empty(), sink, b"", &game());
    let shared = [Bytes::from(vec![1; 300]), Bytes::from(vec![2; 70_000])];
    for own in 0..20 {
        let chunks = if own < 19 { &shared[..1] } else { &shared };
        socket.queue_binary(&[own; 3], chunks).unwrap();
    }
    assert_eq!(socket.try_flush(), Flushed::All);
    assert_eq!(socket.backlog_bytes(), 0);
    let calls = calls.borrow();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0][..7], [BINARY, 126, 1, 47, 0, 0, 0]);
    assert_eq!(calls[0].len(), 19 * (4 + 303) + 10 + 3 + 300 + 70_000);
}

#[test]
fn the_backlog_is_bounded_and_refuses_whole_messages() {
    let sink = Sink { calls: Rc::default(), room: 5 };
    let limits = Limits { backlog_bytes_max: 1000, ..game() };
    let mut socket = WebSocket::new(tokio::io::empty(), sink, b"", &limits);
    let chunk = [Bytes::from(vec![1; 600])];
    assert_eq!(socket.queue_binary(b"own", &chunk), Ok(()));
    assert_eq!(socket.try_flush(), Flushed::Partly);
    assert_eq!(socket.backlog_bytes(), 4 + 3 + 600 - 5);
    assert_eq!(socket.queue_binary(b"own", &chunk), Err(SendError::Full));
    assert_eq!(socket.backlog_bytes(), 4 + 3 + 600 - 5);
}

#[test]
fn nothing_is_queued_after_a_close() {
    let mut socket = WebSocket::new(tokio::io::empty(), tokio::io::sink(), b"", &game());
    socket.close(CloseReason::Restart, "");
    assert_eq!(socket.queue_binary(b"late", &[]), Err(SendError::Closed));
    assert_eq!(socket.try_flush(), Flushed::Closed);
}

#[tokio::test]
async fn next_may_be_dropped_at_any_byte() {
    let mut bytes = Vec::new();
    for message in 0..10 {
        bytes.extend(frame(BINARY, &[message; 200]));
        bytes.extend(frame(PING, b"between"));
    }
    let reader = Bytewise { bytes: bytes.into(), waits: false };
    let mut socket = WebSocket::new(reader, tokio::io::sink(), b"", &game());
    let mut cx = Context::from_waker(Waker::noop());
    let mut messages = Vec::new();
    loop {
        // Each attempt is dropped after one poll.
        let attempt = std::pin::pin!(socket.next());
        match attempt.poll(&mut cx) {
            Poll::Ready(Ok(Message::Binary(message))) => messages.push(message),
            Poll::Ready(Ok(Message::Text(text))) => panic!("{text:?}"),
            Poll::Ready(Err(ended)) => break assert_eq!(ended, Ended::Eof { mid_frame: false }),
            Poll::Pending => {}
        }
    }
    let expected: Vec<_> = (0..10).map(|message| Bytes::from(vec![message; 200])).collect();
    assert_eq!(messages, expected);
}

/// Two ends of a TCP connection.
async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

#[tokio::test]
async fn one_task_writes_to_many_clients_without_a_break() {
    let mut pairs = Vec::new();
    for _ in 0..400 {
        let (server, client) = tcp_pair().await;
        pairs.push((WebSocket::tcp(server, b"", &game()), client));
    }
    // No await between the writes: this is one poll of one task.
    for (socket, _) in &mut pairs {
        socket.queue_binary(b"tick", &[]).unwrap();
        assert_eq!(socket.try_flush(), Flushed::All);
    }
    for (_, client) in pairs {
        assert_eq!(RawClient::new(client).read_frame().await, (BINARY, b"tick".to_vec()));
    }
}

#[tokio::test]
async fn the_driver_writes_the_rest_of_what_another_task_began() {
    let tasks = LocalSet::new();
    let (server, client) = tcp_pair().await;
    let limits = Limits { backlog_bytes_max: usize::MAX, ..game() };
    let socket = Rc::new(RefCell::new(WebSocket::tcp(server, b"", &limits)));
    let driven = Rc::clone(&socket);
    let driver =
        tasks.spawn_local(async move { poll_fn(|cx| driven.borrow_mut().poll_next(cx)).await });
    let chunk = Bytes::from(vec![7; 32 * 1024 * 1024]);
    let writer = async {
        // The driver waits for the peer by the time it is needed.
        tokio::task::yield_now().await;
        let mut socket = socket.borrow_mut();
        socket.queue_binary(b"", std::slice::from_ref(&chunk)).unwrap();
        assert_eq!(socket.try_flush(), Flushed::Partly);
    };
    let reader = async {
        let mut client = RawClient::new(client);
        assert_eq!(client.read_frame().await.1, chunk);
        client.send(&frame(CLOSE, &[3, 232])).await;
        assert_eq!(client.read_frame().await, (CLOSE, vec![3, 232]));
    };
    tasks.run_until(async { tokio::join!(writer, reader) }).await;
    assert_eq!(guard(tasks.run_until(driver)).await.unwrap(), Err(Ended::ByPeer(Some(1000))));
}

#[tokio::test]
async fn the_servers_close_waits_for_the_answer_and_then_ends_the_stream() {
    let (server, client) = tcp_pair().await;
    let mut socket = WebSocket::tcp(server, b"", &game());
    socket.queue_binary(b"last words", &[]).unwrap();
    socket.close(CloseReason::NoSuchRoom, "no such room");
    let mut client = RawClient::new(client);
    let (ended, ()) = tokio::join!(guard(socket.finish()), async {
        assert_eq!(client.read_frame().await, (BINARY, b"last words".to_vec()));
        let (first, close) = client.read_frame().await;
        assert_eq!((first, &close[2..]), (CLOSE, &b"no such room"[..]));
        // A message may cross the server's close frame.
        client.send(&frame(BINARY, b"crossing")).await;
        client.send(&frame(CLOSE, &close)).await;
        assert_eq!(client.read_to_end().await, b"");
        drop(client);
    });
    assert_eq!(ended, Ended::ByServer(4404));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_a_close_is_dropped_at_the_deadline() {
    let (client, server) = tokio::io::duplex(4);
    let mut socket = WebSocket::over(server, b"", &game());
    socket.close(CloseReason::Restart, "");
    let begun = Instant::now();
    assert_eq!(socket.finish().await, Ended::ByServer(1012));
    assert_eq!(begun.elapsed(), game().close_deadline);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_keeps_sending_after_a_violation_is_dropped() {
    let (mut client, server) = tokio::io::duplex(1024);
    let socket = tokio::spawn(echo(WebSocket::over(server, b"", &game())));
    let sender = async {
        let junk = [0xff; 1000];
        while tokio::io::AsyncWriteExt::write_all(&mut client, &junk).await.is_ok() {}
    };
    let (ended, ()) = tokio::join!(guard(socket), guard(sender));
    assert!(matches!(ended.unwrap(), Ended::Violation(_)));
}

#[tokio::test]
async fn a_socket_moves_to_another_runtime_with_its_unread_bytes() {
    let (server, client) = tcp_pair().await;
    let mut client = RawClient::new(client);
    client.send(&[frame(BINARY, b"hello"), frame(BINARY, b"early")].concat()).await;
    let mut socket = WebSocket::tcp(server, b"", &game());
    assert_eq!(socket.next().await, Ok(Message::Binary(Bytes::from_static(b"hello"))));
    let (stream, unread) = socket.into_tcp().unwrap();
    let stream = stream.into_std().unwrap();
    let worker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = TcpStream::from_std(stream).unwrap();
            echo(WebSocket::tcp(stream, &unread, &game())).await
        })
    });
    assert_eq!(client.read_frame().await, (BINARY, b"early".to_vec()));
    client.send(&frame(CLOSE, &[3, 232])).await;
    assert_eq!(client.read_close_code().await, 1000);
    drop(client);
    assert_eq!(worker.join().unwrap(), Ended::ByPeer(Some(1000)));
}

#[tokio::test]
async fn a_socket_with_something_to_write_does_not_move() {
    let (server, mut client) = tcp_pair().await;
    let mut socket = WebSocket::tcp(server, b"", &game());
    socket.queue_binary(b"unsent", &[]).unwrap();
    assert!(socket.into_tcp().is_none());
    assert_eq!(guard(client.read(&mut [0; 1])).await.unwrap(), 0);
}
