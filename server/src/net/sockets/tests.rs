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
use super::{Direct, DirectRead, Group, Ready, Sockets};
use crate::net::Settled as _;

/// Writes down its number whenever it is told.
struct Noted {
    number: usize,
    told: Rc<RefCell<Vec<usize>>>,
}

impl Ready for Noted {
    fn warm(&self) {}

    fn ready(self: Rc<Self>, _: Time) {
        self.told.borrow_mut().push(self.number);
    }
}

/// A set of sockets whose owners write down who was told.
struct Fixture {
    sockets: Sockets,
    group: Rc<Group>,
    told: Rc<RefCell<Vec<usize>>>,
    peers: Vec<TcpStream>,
    owned: Vec<(Direct, Owned)>,
}

impl Fixture {
    /// So many are in a group, and others are not.
    fn of(grouped: usize, others: usize) -> Fixture {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (sockets, told) = (Sockets::default(), Rc::default());
        let group = sockets.group().expect("a set");
        let mut peers = Vec::new();
        let mut owned = Vec::new();
        for number in 0..grouped + others {
            peers.push(TcpStream::connect(address).expect("a connection"));
            let (stream, _) = listener.accept().expect("the same");
            stream.set_nonblocking(true).expect("a socket's setting");
            let direct = sockets.add(stream).expect("a place");
            let owner = Noted { number, told: Rc::clone(&told) };
            let key = direct.key().expect("it is in the set");
            let group = (number < grouped).then(|| Rc::clone(&group));
            owned.push((direct, sockets.own(key, Rc::new(owner), group)));
        }
        let fixture = Fixture { sockets, group, told, peers, owned };
        // A new socket can be written.
        fixture.look();
        fixture
    }

    fn send(&mut self, peers: impl IntoIterator<Item = usize>) {
        for peer in peers {
            self.peers[peer].write_all(b"input").expect("loopback takes it at once");
        }
    }

    /// Looks; who was told.
    fn look(&self) -> Vec<usize> {
        let any = self.sockets.look(|| Time(0));
        assert!(any || self.told.borrow().is_empty());
        self.told()
    }

    /// Reads the group; who was told.
    fn read(&self) -> Vec<usize> {
        self.sockets.read(&self.group, || Time(0));
        self.told()
    }

    fn told(&self) -> Vec<usize> {
        let mut told = self.told.take();
        told.sort_unstable();
        told
    }
}

#[tokio::test]
async fn a_look_tells_once_however_much_has_come() {
    let mut fixture = Fixture::of(2, 2);
    fixture.send([1, 3, 1, 2, 2]);
    assert_eq!(fixture.look(), [1, 2, 3]);
    assert!(fixture.look().is_empty());
    fixture.send([1]);
    assert_eq!(fixture.read(), [1]);
    assert!(fixture.look().is_empty());
}

#[tokio::test]
async fn a_group_that_is_left_out_is_told_when_it_is_read() {
    let mut fixture = Fixture::of(2, 2);
    fixture.sockets.look_at_groups(false);
    fixture.send([0, 1, 2]);
    assert_eq!(fixture.look(), [2]);
    fixture.send([0, 3]);
    assert_eq!(fixture.read(), [0, 1]);
    assert!(fixture.read().is_empty());
    assert_eq!(fixture.look(), [3]);
}

#[tokio::test]
async fn what_a_group_was_left_with_is_found_by_the_next_look_at_it() {
    let mut fixture = Fixture::of(2, 0);
    fixture.sockets.look_at_groups(false);
    fixture.send([1]);
    assert!(fixture.look().is_empty());
    fixture.sockets.look_at_groups(true);
    assert_eq!(fixture.look(), [1]);
    // A group that is made now is looked at as well, and not if it is made while they are left out.
    fixture.group = fixture.sockets.group().expect("a set");
    fixture.sockets.look_at_groups(false);
    fixture.send([0]);
    assert!(fixture.look().is_empty());
    assert!(fixture.read().is_empty(), "it is in the other one");
}

#[tokio::test]
async fn a_set_tells_more_than_the_kernel_does_at_once() {
    let count = 300;
    let mut fixture = Fixture::of(count, count);
    fixture.send(0..2 * count);
    assert!(fixture.look().into_iter().eq(0..2 * count));
    fixture.sockets.look_at_groups(false);
    fixture.send(0..2 * count);
    assert!(fixture.read().into_iter().eq(0..count));
}

#[tokio::test]
async fn a_socket_that_is_gone_tells_nothing() {
    let mut fixture = Fixture::of(2, 0);
    fixture.send([0, 1]);
    fixture.owned.remove(0);
    assert_eq!(fixture.look(), [1]);
    // Nor does a group that is gone, or one that was made in its place.
    fixture.send([1]);
    fixture.owned.clear();
    fixture.group = fixture.sockets.group().expect("a set");
    assert!(fixture.look().is_empty());
}

#[tokio::test]
async fn who_loses_its_owner_reads_by_itself() {
    let mut fixture = Fixture::of(1, 0);
    fixture.sockets.look_at_groups(false);
    let (direct, owned) = fixture.owned.remove(0);
    let mut read = DirectRead(Rc::clone(direct.socket()));
    let mut bytes = [0; 16];
    // It finds nothing, so it reads again only if it is told to.
    poll_fn(|cx| {
        let mut buffer = ReadBuf::new(&mut bytes);
        assert!(Pin::new(&mut read).poll_read(cx, &mut buffer).is_pending());
        Poll::Ready(())
    })
    .await;
    fixture.send([0]);
    drop(owned);
    let (count, ()) = tokio::join!(read.read(&mut bytes), async {
        assert!(fixture.sockets.look(|| Time(0)), "it is told in the set itself");
    });
    assert_eq!(count.expect("it is open"), 5);
    assert!(fixture.told().is_empty());
}
