use std::cell::RefCell;
use std::future::poll_fn;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use tickwire_protocol::Time;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, ReadBuf};

use super::set::Owned;
use super::{Direct, DirectRead, Look, Queue, Ready, Sockets};
use crate::net::Settled as _;

/// When it was told, and since when something was there.
type Told = (usize, Time, Time);

/// Writes down its number whenever it is told.
struct Noted {
    number: usize,
    told: Rc<RefCell<Vec<Told>>>,
}

impl Ready for Noted {
    fn warm(&self) {}

    fn ready(self: Rc<Self>, now: Time, looked: Time) {
        self.told.borrow_mut().push((self.number, now, looked));
    }
}

/// A set of sockets whose owners write down who was told.
struct Fixture {
    sockets: Sockets,
    queue: Rc<Queue>,
    told: Rc<RefCell<Vec<Told>>>,
    peers: Vec<TcpStream>,
    owned: Vec<(Direct, Owned)>,
}

impl Fixture {
    /// All but the last `eager` have a queue.
    fn of(count: usize, eager: usize) -> Fixture {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (sockets, queue, told) = (Sockets::default(), Rc::default(), Rc::default());
        let mut peers = Vec::new();
        let mut owned = Vec::new();
        for number in 0..count {
            peers.push(TcpStream::connect(address).expect("a connection"));
            let (stream, _) = listener.accept().expect("the same");
            stream.set_nonblocking(true).expect("a socket's setting");
            let direct = sockets.add(stream).expect("a place");
            let owner = Noted { number, told: Rc::clone(&told) };
            let key = direct.key().expect("it is in the set");
            let waits = (number + eager < count).then(|| Rc::clone(&queue));
            owned.push((direct, sockets.own(key, Rc::new(owner), waits)));
        }
        let fixture = Fixture { sockets, queue, told, peers, owned };
        // A new socket can be written.
        fixture.look(Look::Read, 0);
        fixture
    }

    fn send(&mut self, peers: impl IntoIterator<Item = usize>) {
        for peer in peers {
            self.peers[peer].write_all(b"input").expect("loopback takes it at once");
        }
    }

    /// Looks; who was told.
    fn look(&self, look: Look, now: u64) -> Vec<usize> {
        self.sockets.look(look, || Time(now));
        self.told.take().into_iter().map(|(number, ..)| number).collect()
    }

    /// Reads the queue; who was told, and since when there was something.
    fn read(&self, now: u64) -> Vec<(usize, u64)> {
        self.sockets.read(&self.queue, || Time(now));
        let told = self.told.take().into_iter();
        told.map(|(number, at, looked)| {
            assert_eq!(at, Time(now));
            (number, looked.0)
        })
        .collect()
    }
}

#[tokio::test]
async fn who_is_read_at_once_is_told_once_however_much_has_come() {
    let mut fixture = Fixture::of(3, 0);
    fixture.send([2, 0, 2, 2]);
    assert_eq!(fixture.look(Look::Read, 1), [2, 0]);
    assert!(fixture.look(Look::Read, 2).is_empty());
    assert!(fixture.read(3).is_empty());
}

#[tokio::test]
async fn who_has_a_queue_is_told_when_it_is_read() {
    let mut fixture = Fixture::of(5, 1);
    fixture.send([3, 1, 4]);
    assert_eq!(fixture.look(Look::Queue, 10), [4], "who has none is told at once");
    // More from who waits changes nothing.
    fixture.send([0, 3]);
    assert!(fixture.look(Look::Queue, 20).is_empty());
    assert_eq!(fixture.read(30), [(3, 10), (1, 10), (0, 20)]);
    assert!(fixture.read(40).is_empty());
    fixture.send([3]);
    assert!(fixture.look(Look::Queue, 50).is_empty());
    assert_eq!(fixture.read(60), [(3, 50)]);
}

#[tokio::test]
async fn who_waits_is_told_when_something_more_comes_and_is_read_at_once() {
    let mut fixture = Fixture::of(2, 0);
    fixture.send([0, 1]);
    assert!(fixture.look(Look::Queue, 1).is_empty());
    fixture.send([1]);
    assert_eq!(fixture.look(Look::Read, 2), [1]);
    assert_eq!(fixture.read(3), [(0, 1)]);
}

#[tokio::test]
async fn a_look_finds_more_than_the_kernel_tells_at_once() {
    let count = 300;
    let mut fixture = Fixture::of(count, 0);
    fixture.send(0..count);
    assert!(fixture.look(Look::Queue, 1).is_empty());
    assert!(fixture.read(2).into_iter().eq((0..count).map(|number| (number, 1))));
}

#[tokio::test]
async fn what_waits_of_a_socket_that_is_gone_is_nobodys() {
    let mut fixture = Fixture::of(2, 0);
    fixture.send([0, 1]);
    fixture.look(Look::Queue, 1);
    fixture.owned.remove(0);
    assert_eq!(fixture.read(2), [(1, 1)]);
    // Its place is used again while it is still in the queue.
    fixture.send([1]);
    fixture.look(Look::Queue, 3);
    fixture.owned.clear();
    let mut other = Fixture::of(1, 0);
    other.sockets = fixture.sockets.clone();
    assert!(fixture.read(4).is_empty());
}

#[tokio::test]
async fn who_loses_its_owner_while_it_waits_reads_by_itself() {
    let mut fixture = Fixture::of(1, 0);
    let (direct, owned) = fixture.owned.remove(0);
    let mut read = DirectRead(Rc::clone(direct.socket()));
    // It has found nothing, so it reads again only if it is told to.
    let mut bytes = [0; 16];
    poll_fn(|cx| {
        let mut buffer = ReadBuf::new(&mut bytes);
        assert!(Pin::new(&mut read).poll_read(cx, &mut buffer).is_pending());
        Poll::Ready(())
    })
    .await;
    fixture.send([0]);
    assert!(fixture.look(Look::Queue, 1).is_empty());
    drop(owned);
    assert_eq!(read.read(&mut bytes).await.expect("it is open"), 5);
    assert!(fixture.read(2).is_empty());
}
