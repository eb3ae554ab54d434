//! The set, and its bell.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::task::Waker;

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use tickwire_protocol::Time;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::direct::{Direct, Socket};
use super::{Ready, SocketKey};

/// Events that one system call brings.
const EVENTS_MAX: usize = 256;
/// Owners whose memory is fetched before the first of them reads.
const WARMED_AT_ONCE: usize = 16;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The sockets of a worker. Cheap to clone; stays on its thread.
#[derive(Clone, Default)]
pub struct Sockets(Rc<Set>);

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Set {
    /// Made when the first socket comes.
    kernel: OnceCell<Kernel>,
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<u32>>,
    /// Room for what the kernel tells; always empty.
    events: RefCell<Vec<Event>>,
    /// Owners to be told; empty between two looks.
    told: RefCell<Vec<Rc<dyn Ready>>>,
    /// The last look found something.
    busy: Cell<bool>,
    /// The bell stays armed.
    always: Cell<bool>,
}

struct Kernel {
    epoll: OwnedFd,
    /// A set with nothing in it but the other set, for Tokio to wait for.
    bell: AsyncFd<OwnedFd>,
    armed: Cell<bool>,
}

struct Place {
    generation: u32,
    socket: Weak<Socket>,
    owner: Option<Rc<dyn Ready>>,
}

/// A socket that has an owner.
pub(crate) struct Owned {
    set: Sockets,
    key: SocketKey,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.set.disown(self.key);
    }
}

impl Kernel {
    fn new() -> io::Result<Kernel> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&bell, &epoll, EventData::new_u64(0), EventFlags::empty())?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for descriptors that change or close; an \
                      `OwnedFd` does neither, and this workspace has no unsafe code"
        )]
        let bell = AsyncFd::with_interest(bell, Interest::READABLE)?;
        Ok(Kernel { epoll, bell, armed: Cell::new(false) })
    }

    fn arm(&self, armed: bool) -> io::Result<()> {
        if self.armed.replace(armed) != armed {
            let flags = if armed { EventFlags::IN } else { EventFlags::empty() };
            epoll::modify(self.bell.get_ref(), &self.epoll, EventData::new_u64(0), flags)?;
        }
        Ok(())
    }
}

impl Sockets {
    /// Takes a socket, which does not block.
    pub(crate) fn add(&self, stream: TcpStream) -> io::Result<Direct> {
        let set = &*self.0;
        let kernel = match set.kernel.get() {
            Some(kernel) => kernel,
            None => {
                let made = Kernel::new()?;
                set.kernel.get_or_init(|| made)
            }
        };
        let index = set.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut places = set.places.borrow_mut();
            places.push(Place { generation: 0, socket: Weak::new(), owner: None });
            (places.len() - 1) as u32
        });
        let generation = set.places.borrow()[index as usize].generation;
        let key = SocketKey { index, generation };
        let data = EventData::new_u64(u64::from(generation) << 32 | u64::from(index));
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let added = epoll::add(&kernel.epoll, &stream, data, flags);
        // It leaves the set again if it could not be added.
        let direct = Direct::new(stream, key, self.clone());
        added?;
        set.places.borrow_mut()[index as usize].socket = Rc::downgrade(direct.socket());
        Ok(direct)
    }

    /// A closed socket's place is free.
    pub(super) fn forget(&self, key: SocketKey) {
        self.disown(key);
        if let Some(place) = self.0.places.borrow_mut().get_mut(key.index as usize) {
            place.generation = place.generation.wrapping_add(1);
            place.socket = Weak::new();
        }
        self.0.free.borrow_mut().push(key.index);
    }

    /// Has `owner` be told when the socket can be read, or written again, for as long as the
    /// answer is held; after that, whoever polls the socket is woken.
    pub(crate) fn own(&self, key: SocketKey, owner: Rc<dyn Ready>) -> Owned {
        if let Some(place) = self.0.places.borrow_mut().get_mut(key.index as usize)
            && place.generation == key.generation
        {
            place.owner = Some(owner);
        }
        Owned { set: self.clone(), key }
    }

    fn disown(&self, key: SocketKey) {
        let mut places = self.0.places.borrow_mut();
        let place = places.get_mut(key.index as usize);
        let owner = place.filter(|place| place.generation == key.generation);
        let owner = owner.and_then(|place| place.owner.take());
        drop(places);
        // It may hold the last of the socket.
        drop(owner);
    }

    /// Tells the owners of sockets for which something has come, of those first that wait
    /// longest; for how many that was so, `most` if there may be more.
    pub(crate) fn look(&self, most: usize, clock: impl Fn() -> Time) -> usize {
        let Some(kernel) = self.0.kernel.get() else { return 0 };
        let (mut room, mut told) = (self.0.events.take(), self.0.told.take());
        room.reserve_exact(EVENTS_MAX);
        let mut found = 0;
        while found < most {
            let asked = EVENTS_MAX.min(most - found);
            let room = &mut room.spare_capacity_mut()[..asked];
            let events = match epoll::wait(&kernel.epoll, room, Some(&AT_ONCE)) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "the sockets cannot be looked at");
                    break;
                }
            };
            let count = events.len();
            found += count;
            // First all are noted, then all are read: so the waits for what is known of
            // each socket overlap, and do not come one by one between the system calls.
            told.extend(events.iter().filter_map(|event| self.note(event.data.u64(), event.flags)));
            while !told.is_empty() {
                let some = told.len().saturating_sub(WARMED_AT_ONCE);
                told[some..].iter().for_each(|owner| owner.warm());
                let now = clock();
                told.drain(some..).for_each(|owner| owner.ready(now));
            }
            if count < asked {
                break;
            }
        }
        self.0.events.replace(room);
        self.0.told.replace(told);
        self.0.busy.set(found > 0);
        if found > 0 && !self.0.always.get() {
            // Who looks again by itself soon needs no bell.
            let _ = kernel.arm(false);
        }
        found
    }

    /// Notes what an event says of a socket; its owner, if there is something to do.
    fn note(&self, data: u64, flags: EventFlags) -> Option<Rc<dyn Ready>> {
        let (index, generation) = (data as u32 as usize, (data >> 32) as u32);
        let (socket, owner) = {
            let places = self.0.places.borrow();
            let place = places.get(index).filter(|place| place.generation == generation)?;
            (place.socket.upgrade()?, place.owner.clone())
        };
        let gone = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        let reads = flags.intersects(EventFlags::IN | gone);
        if reads {
            socket.readable.set(true);
        }
        if flags.intersects(gone) {
            socket.closed.set(true);
        }
        let writes = flags.intersects(EventFlags::OUT | gone);
        if writes {
            socket.writable.set(true);
        }
        let writer = writes.then(|| socket.writer.take()).flatten();
        match owner {
            Some(owner) => (reads || writer.is_some()).then_some(owner),
            None => {
                let reader = reads.then(|| socket.reader.take()).flatten();
                reader.into_iter().chain(writer).for_each(Waker::wake);
                None
            }
        }
    }

    /// Has the bell ring for all that comes, for who never looks by itself.
    pub(crate) fn ring_always(&self) {
        self.0.always.set(true);
    }

    /// Whether the last look found something: then there may soon be more.
    pub(crate) fn busy(&self) -> bool {
        self.0.busy.get()
    }

    /// Waits until there is something, and has it read. May be dropped at any time.
    pub(crate) async fn listen(&self, clock: impl Fn() -> Time) {
        let Some(kernel) = self.0.kernel.get() else { return std::future::pending().await };
        if let Err(error) = self.ring(kernel, clock).await {
            // Then steps and pauses are what makes it look.
            tracing::error!(%error, "the bell of the sockets does not work");
            self.0.busy.set(true);
        }
    }

    async fn ring(&self, kernel: &Kernel, clock: impl Fn() -> Time) -> io::Result<()> {
        kernel.arm(true)?;
        // What came between the last look and now did not ring.
        while self.look(usize::MAX, &clock) == 0 {
            kernel.bell.readable().await?.clear_ready();
        }
        Ok(())
    }
}
