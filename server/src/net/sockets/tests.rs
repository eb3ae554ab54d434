use std::cell::RefCell;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

use tickwire_protocol::Time;

use super::set::Owned;
use super::{Direct, Ready, Sockets};
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
    told: Rc<RefCell<Vec<usize>>>,
    peers: Vec<TcpStream>,
    _owned: Vec<(Direct, Owned)>,
}

impl Fixture {
    fn of(count: usize) -> Fixture {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (sockets, told) = (Sockets::default(), Rc::default());
        let mut peers = Vec::new();
        let mut owned = Vec::new();
        for number in 0..count {
            peers.push(TcpStream::connect(address).expect("a connection"));
            let (stream, _) = listener.accept().expect("the same");
            stream.set_nonblocking(true).expect("a socket's setting");
            let direct = sockets.add(stream).expect("a place");
            let owner = Noted { number, told: Rc::clone(&told) };
            let key = direct.key().expect("it is in the set");
            owned.push((direct, sockets.own(key, Rc::new(owner))));
        }
        let fixture = Fixture { sockets, told, peers, _owned: owned };
        // A new socket can be written.
        fixture.look(usize::MAX);
        fixture
    }

    fn send(&mut self, peer: usize) {
        self.peers[peer].write_all(b"input").expect("loopback takes it at once");
    }

    /// Looks; who was told, and of how many sockets there was something.
    fn look(&self, most: usize) -> (Vec<usize>, usize) {
        let found = self.sockets.look(most, || Time(0));
        (self.told.take(), found)
    }
}

#[tokio::test]
async fn who_waits_longest_is_told_first_and_nobody_is_forgotten() {
    let mut fixture = Fixture::of(6);
    for peer in [3, 1, 4] {
        fixture.send(peer);
    }
    assert_eq!(fixture.look(2), (vec![3, 1], 2));
    // Who has something more to say comes after who still waits.
    for peer in [3, 0] {
        fixture.send(peer);
    }
    assert_eq!(fixture.look(2), (vec![4, 3], 2));
    assert_eq!(fixture.look(2), (vec![0], 1));
    assert_eq!(fixture.look(2), (vec![], 0));
}

#[tokio::test]
async fn who_waits_is_told_once_however_much_has_come() {
    let mut fixture = Fixture::of(3);
    for peer in [2, 0, 2, 2] {
        fixture.send(peer);
    }
    assert_eq!(fixture.look(usize::MAX), (vec![2, 0], 2));
    assert_eq!(fixture.look(usize::MAX), (vec![], 0));
}

#[tokio::test]
async fn a_look_at_nothing_changes_nothing() {
    let mut fixture = Fixture::of(2);
    fixture.send(1);
    assert_eq!(fixture.look(0), (vec![], 0));
    assert_eq!(fixture.look(1), (vec![1], 1));
}

#[tokio::test]
async fn a_look_finds_more_than_the_kernel_tells_at_once() {
    let count = 300;
    let mut fixture = Fixture::of(count);
    (0..count).for_each(|peer| fixture.send(peer));
    let (first, found) = fixture.look(290);
    assert_eq!((first.len(), found), (290, 290));
    let (rest, found) = fixture.look(usize::MAX);
    assert_eq!(found, 10);
    let mut all: Vec<_> = first.into_iter().chain(rest).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..count));
}
