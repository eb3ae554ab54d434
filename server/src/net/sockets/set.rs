//! The set, and its bell.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use tickwire_protocol::Time;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::direct::{Direct, Socket};
use super::{Look, Ready, SocketKey};

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
    /// Empty between two looks.
    events: RefCell<Vec<Event>>,
    /// Owners to be told, and since when; empty between two looks.
    told: RefCell<Vec<(Rc<dyn Ready>, Time)>>,
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

#[derive(Default)]
struct Place {
    generation: u32,
    /// What was noted and not told, and when that began.
    news: EventFlags,
    noted: Time,
    queue: Option<Rc<Queue>>,
    socket: Weak<Socket>,
    owner: Option<Rc<dyn Ready>>,
}

/// Sockets that have something to read and are not read yet, in the order in which
/// that was noted.
#[derive(Default, Debug)]
pub struct Queue(RefCell<Vec<u32>>);

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
            places.push(Place::default());
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
            let generation = place.generation.wrapping_add(1);
            *place = Place { generation, ..Place::default() };
        }
        self.0.free.borrow_mut().push(key.index);
    }

    /// Has `owner` be told when the socket can be read, or written again, for as long as the
    /// answer is held, and perhaps only when the queue is read; after that, whoever
    /// polls the socket is woken.
    pub(crate) fn own(
        &self,
        key: SocketKey,
        owner: Rc<dyn Ready>,
        queue: Option<Rc<Queue>>,
    ) -> Owned {
        if let Some(place) = self.0.places.borrow_mut().get_mut(key.index as usize)
            && place.generation == key.generation
        {
            (place.owner, place.queue) = (Some(owner), queue);
        }
        Owned { set: self.clone(), key }
    }

    fn disown(&self, key: SocketKey) {
        let mut places = self.0.places.borrow_mut();
        let place = places.get_mut(key.index as usize);
        let Some(place) = place.filter(|place| place.generation == key.generation) else { return };
        let (owner, news) = (place.owner.take(), std::mem::take(&mut place.news));
        place.queue = None;
        let socket = place.socket.upgrade();
        drop(places);
        // Who polls it from now on finds what the queue would have told.
        if let Some(socket) = socket {
            socket.tells(news, None);
        }
        // It may hold the last of the socket.
        drop(owner);
    }

    /// Notes all sockets for which something has come, and tells their owners or
    /// leaves that to their queues; whether there were any.
    pub(crate) fn look(&self, look: Look, clock: impl Fn() -> Time) -> bool {
        let Some(kernel) = self.0.kernel.get() else { return false };
        let (mut events, mut told) = (self.0.events.take(), self.0.told.take());
        events.reserve_exact(EVENTS_MAX);
        let mut any = false;
        loop {
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&kernel.epoll, room, Some(&AT_ONCE)) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "the sockets cannot be looked at");
                    break;
                }
            };
            any |= !events.is_empty();
            let looked = clock();
            // First all are noted, then all are read: so the waits for what is known of
            // each socket overlap, and do not come one by one between the system calls.
            told.extend(events.iter().filter_map(|event| {
                self.note(event.data.u64(), event.flags, look, looked).map(|owner| (owner, looked))
            }));
            while !told.is_empty() {
                let some = told.len().saturating_sub(WARMED_AT_ONCE);
                tell(&mut told, some, &clock);
            }
            if events.len() < EVENTS_MAX {
                break;
            }
        }
        self.0.events.replace(events);
        self.0.told.replace(told);
        self.0.busy.set(any);
        if any && !self.0.always.get() {
            // Who looks again by itself soon needs no bell.
            let _ = kernel.arm(false);
        }
        any
    }

    /// Tells the owners of all sockets that wait in a queue.
    pub(crate) fn read(&self, queue: &Queue, clock: impl Fn() -> Time) {
        let mut waiting = queue.0.take();
        let mut told = self.0.told.take();
        for some in waiting.chunks(WARMED_AT_ONCE) {
            told.extend(some.iter().filter_map(|index| self.waited(*index)));
            tell(&mut told, 0, &clock);
        }
        waiting.clear();
        self.0.told.replace(told);
        // Reading looks at no other socket, so nothing has come into it meanwhile.
        queue.0.replace(waiting);
    }

    /// A socket of a queue has its turn: its owner and since when it waits, if there is something
    /// to do. Places may have been used again since then; then there may be nothing.
    fn waited(&self, index: u32) -> Option<(Rc<dyn Ready>, Time)> {
        let (news, noted, socket, owner) = {
            let mut places = self.0.places.borrow_mut();
            let place = places.get_mut(index as usize)?;
            let news = std::mem::take(&mut place.news);
            (news, place.noted, place.socket.upgrade()?, place.owner.clone())
        };
        Some((socket.tells(news, owner)?, noted))
    }

    /// Notes what an event says of a socket; its owner, if there is something to do at once.
    fn note(
        &self,
        data: u64,
        flags: EventFlags,
        look: Look,
        looked: Time,
    ) -> Option<Rc<dyn Ready>> {
        let (index, generation) = (data as u32, (data >> 32) as u32);
        let (news, socket, owner) = {
            let mut places = self.0.places.borrow_mut();
            let place = places.get_mut(index as usize);
            let place = place.filter(|place| place.generation == generation)?;
            if let (Look::Queue, Some(queue)) = (look, &place.queue) {
                if place.news.is_empty() {
                    place.noted = looked;
                    queue.0.borrow_mut().push(index);
                }
                place.news |= flags;
                return None;
            }
            let news = flags | std::mem::take(&mut place.news);
            (news, place.socket.upgrade()?, place.owner.clone())
        };
        socket.tells(news, owner)
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
        while !self.look(Look::Read, &clock) {
            kernel.bell.readable().await?.clear_ready();
        }
        Ok(())
    }
}

/// Tells the owners from a place on.
fn tell(told: &mut Vec<(Rc<dyn Ready>, Time)>, from: usize, clock: impl Fn() -> Time) {
    told[from..].iter().for_each(|(owner, _)| owner.warm());
    let now = clock();
    told.drain(from..).for_each(|(owner, looked)| owner.ready(now, looked));
}
