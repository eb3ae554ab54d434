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
use slab::Slab;
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
/// What the kernel is asked of each socket: its news, and each only once.
pub(super) const SOCKET: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);
/// Told with events of groups, and not with those of sockets.
const GROUP: u64 = 1 << 63;
const GENERATION_MAX: u32 = u32::MAX >> 1;

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
    /// Keys are used again at once; who is told in another's place looks for nothing.
    groups: RefCell<Slab<Weak<Group>>>,
    /// Groups are left out of a look.
    groups_apart: Cell<bool>,
    /// Empty between two looks.
    events: RefCell<Vec<Event>>,
    /// Owners to be told; empty between two looks.
    told: RefCell<Vec<Rc<dyn Ready>>>,
    /// Groups with something to tell; empty between two looks.
    rung: RefCell<Vec<usize>>,
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
    socket: Weak<Socket>,
    owner: Option<Rc<dyn Ready>>,
    /// Where it is, if not in the set itself.
    group: Option<Rc<Group>>,
}

/// Sockets that are read together: a set within the set.
pub struct Group {
    epoll: OwnedFd,
    index: usize,
    set: Weak<Set>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // With its last descriptor it leaves the set.
        if let Some(set) = self.set.upgrade() {
            set.groups.borrow_mut().try_remove(self.index);
        }
    }
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

/// What the kernel tells with a socket's events.
fn socket_data(key: SocketKey) -> EventData {
    EventData::new_u64(u64::from(key.generation) << 32 | u64::from(key.index))
}

/// What it tells with a group's.
fn group_data(index: usize) -> EventData {
    EventData::new_u64(GROUP | index as u64)
}

/// What it is asked of a group.
fn group_flags(apart: bool) -> EventFlags {
    if apart { EventFlags::empty() } else { EventFlags::IN }
}

impl Sockets {
    fn kernel(&self) -> io::Result<&Kernel> {
        let kernel = &self.0.kernel;
        if let Some(kernel) = kernel.get() {
            return Ok(kernel);
        }
        let made = Kernel::new()?;
        Ok(kernel.get_or_init(|| made))
    }

    /// Takes a socket, which does not block.
    pub(crate) fn add(&self, stream: TcpStream) -> io::Result<Direct> {
        let set = &*self.0;
        let kernel = self.kernel()?;
        let index = set.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut places = set.places.borrow_mut();
            places.push(Place::default());
            (places.len() - 1) as u32
        });
        let generation = set.places.borrow()[index as usize].generation;
        let key = SocketKey { index, generation };
        let added = epoll::add(&kernel.epoll, &stream, socket_data(key), SOCKET);
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
            let generation = place.generation.wrapping_add(1) & GENERATION_MAX;
            *place = Place { generation, ..Place::default() };
        }
        self.0.free.borrow_mut().push(key.index);
    }

    /// A new group, without sockets.
    pub(crate) fn group(&self) -> io::Result<Rc<Group>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let index = self.0.groups.borrow_mut().insert(Weak::new());
        let group = Rc::new(Group { epoll, index, set: Rc::downgrade(&self.0) });
        let flags = group_flags(self.0.groups_apart.get());
        epoll::add(&self.kernel()?.epoll, &group.epoll, group_data(index), flags)?;
        self.0.groups.borrow_mut()[index] = Rc::downgrade(&group);
        Ok(group)
    }

    /// Whether a look is at groups as well; if not, each has to be read.
    pub(crate) fn look_at_groups(&self, look: bool) {
        if self.0.groups_apart.replace(!look) != look {
            return;
        }
        let Some(kernel) = self.0.kernel.get() else { return };
        for (index, group) in self.0.groups.borrow().iter() {
            let Some(group) = group.upgrade() else { continue };
            let flags = group_flags(!look);
            if let Err(error) = epoll::modify(&kernel.epoll, &group.epoll, group_data(index), flags)
            {
                tracing::error!(%error, "a group of sockets stays as it was");
            }
        }
    }

    /// Has `owner` be told when the socket can be read, or written again, for as long as the
    /// answer is held, and have it be one of a group; after that, whoever polls the socket is
    /// woken.
    pub(crate) fn own(
        &self,
        key: SocketKey,
        owner: Rc<dyn Ready>,
        group: Option<Rc<Group>>,
    ) -> Owned {
        if let Some(place) = self.0.places.borrow_mut().get_mut(key.index as usize)
            && place.generation == key.generation
        {
            place.owner = Some(owner);
            if let (Some(group), Some(socket)) = (group, place.socket.upgrade())
                && let Some(kernel) = self.0.kernel.get()
            {
                match socket.move_to(&kernel.epoll, &group.epoll, socket_data(key)) {
                    Ok(()) => place.group = Some(group),
                    Err(error) => tracing::warn!(%error, "a socket is read with no group"),
                }
            }
        }
        Owned { set: self.clone(), key }
    }

    fn disown(&self, key: SocketKey) {
        let mut places = self.0.places.borrow_mut();
        let place = places.get_mut(key.index as usize);
        let Some(place) = place.filter(|place| place.generation == key.generation) else { return };
        let (owner, group) = (place.owner.take(), place.group.take());
        if let (Some(group), Some(socket)) = (group, place.socket.upgrade())
            && let Some(kernel) = self.0.kernel.get()
            && let Err(error) = socket.move_to(&group.epoll, &kernel.epoll, socket_data(key))
        {
            // Nobody would tell of it any more, so it is closed.
            tracing::error!(%error, "a socket is lost");
            socket.shut();
        }
        drop(places);
        // It may hold the last of the socket.
        drop(owner);
    }

    /// Tells the owners of all sockets for which something has come; whether there
    /// were any.
    pub(crate) fn look(&self, clock: impl Fn() -> Time) -> bool {
        let Some(kernel) = self.0.kernel.get() else { return false };
        let mut any = self.tell(&kernel.epoll, &clock);
        let mut rung = self.0.rung.take();
        for index in rung.drain(..) {
            let group = self.0.groups.borrow().get(index).and_then(Weak::upgrade);
            any |= group.is_some_and(|group| self.tell(&group.epoll, &clock));
        }
        self.0.rung.replace(rung);
        self.0.busy.set(any);
        if any && !self.0.always.get() {
            // Who looks again by itself soon needs no bell.
            let _ = kernel.arm(false);
        }
        any
    }

    /// Tells the owners of the sockets of a group for which something has come.
    pub(crate) fn read(&self, group: &Group, clock: impl Fn() -> Time) {
        self.tell(&group.epoll, &clock);
    }

    /// The same of one set; of a group only that it has something to tell.
    fn tell(&self, epoll: &OwnedFd, clock: &impl Fn() -> Time) -> bool {
        let (mut events, mut told) = (self.0.events.take(), self.0.told.take());
        events.reserve_exact(EVENTS_MAX);
        let mut any = false;
        loop {
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(epoll, room, Some(&AT_ONCE)) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "the sockets cannot be looked at");
                    break;
                }
            }
            any |= !events.is_empty();
            // First all are noted, then all are read: so the waits for what is known of
            // each socket overlap, and do not come one by one between the system calls.
            told.extend(events.iter().filter_map(|event| self.note(event.data.u64(), event.flags)));
            while !told.is_empty() {
                let some = told.len().saturating_sub(WARMED_AT_ONCE);
                told[some..].iter().for_each(|owner| owner.warm());
                let now = clock();
                told.drain(some..).for_each(|owner| owner.ready(now));
            }
            if events.len() < EVENTS_MAX {
                break;
            }
        }
        self.0.events.replace(events);
        self.0.told.replace(told);
        any
    }

    /// Notes what an event says of a socket; its owner, if there is something to do.
    fn note(&self, data: u64, flags: EventFlags) -> Option<Rc<dyn Ready>> {
        if data & GROUP != 0 {
            self.0.rung.borrow_mut().push((data ^ GROUP) as usize);
            return None;
        }
        let (index, generation) = (data as u32 as usize, (data >> 32) as u32);
        let (socket, owner) = {
            let places = self.0.places.borrow();
            let place = places.get(index).filter(|place| place.generation == generation)?;
            (place.socket.upgrade()?, place.owner.clone())
        };
        socket.learn(flags, owner)
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
        while !self.look(&clock) {
            kernel.bell.readable().await?.clear_ready();
        }
        Ok(())
    }
}
