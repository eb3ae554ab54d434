//! Tables of entities: what a game fills on the server, and what a typed
//! mirror fills on a client.
//!
//! A slot is reused as soon as it is free, the lowest first, so that tables
//! stay dense; the generation tells the entities of one slot apart. A client
//! sees some of the slots only, so rows are in pages: a high slot costs one page
//! and not all that is below. Every
//! access that may change a row marks it: who replicates a table looks at the
//! marked rows only, and decides by comparison what really changed.

mod any;

use core::cmp::Reverse;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use std::collections::BinaryHeap;

use crate::limits::SLOTS_MAX;
use crate::schema::TableSchema;
use crate::value::Value;

pub use any::{AnyTable, Capture, Captured, RECENT};

/// Replicated state of one type: implemented by `#[derive(Entity)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    note = "add `#[derive(Entity)]` to it"
)]
pub trait Entity: Value + 'static {
    /// The name of the type.
    const NAME: &'static str;

    /// The table as one of any entities; for `#[derive(World)]`.
    #[doc(hidden)]
    fn erase(table: &Table<Self>) -> &dyn AnyTable {
        table
    }
    /// The same, to change it.
    #[doc(hidden)]
    fn erase_mut(table: &mut Table<Self>) -> &mut dyn AnyTable {
        table
    }
}

/// All the tables of a game: implemented by `#[derive(World)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a world",
    note = "add `#[derive(World)]` to a struct whose fields are all `Table<…>`"
)]
pub trait World: Default + 'static {
    /// How many tables there are.
    const TABLES: usize;
    /// Their schemas, in order.
    fn schema() -> Vec<TableSchema>;
    /// The table at `index`, which is below [`World::TABLES`].
    fn table(&self, index: usize) -> &dyn AnyTable;
    /// The table at `index`, which is below [`World::TABLES`].
    fn table_mut(&mut self, index: usize) -> &mut dyn AnyTable;
}

/// Identifies an entity: a slot of a table, and which of its entities.
pub struct Id<T> {
    slot: u32,
    /// 0 for nobody.
    generation: u32,
    entity: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Refers to nobody. Also the default of a reference.
    pub const NONE: Id<T> = Id { slot: 0, generation: 0, entity: PhantomData };

    /// The entity of `generation` in `slot`; nobody if the generation is 0.
    pub const fn new(slot: u32, generation: u32) -> Id<T> {
        if generation == 0 {
            return Id::NONE;
        }
        Id { slot, generation, entity: PhantomData }
    }

    /// The row's place in its table.
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// Which of the slot's entities it is, from 1; 0 for nobody.
    pub const fn generation(self) -> u32 {
        self.generation
    }

    /// Whether it refers to nobody.
    pub const fn is_none(self) -> bool {
        self.generation == 0
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.slot, self.generation) == (other.slot, other.generation)
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.slot, self.generation).cmp(&(other.slot, other.generation))
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.slot, self.generation).hash(state);
    }
}
impl<T> Default for Id<T> {
    fn default() -> Self {
        Id::NONE
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("nobody");
        }
        write!(f, "{}v{}", self.slot, self.generation)
    }
}

/// The unit of visibility that an entity lives in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Scope(pub u32);

impl Scope {
    /// The scope that everybody in the room watches.
    pub const ROOM: Scope = Scope(0);
}

/// All the entities of one type.
#[derive(Debug)]
pub struct Table<T> {
    /// Rows by slot; a page is there if one of its slots was ever in use.
    pages: Vec<Option<Box<Page<T>>>>,
    /// The slots below this were in use, or are above others that were.
    slots: u32,
    /// Slots without an entity, lowest first.
    free: BinaryHeap<Reverse<u32>>,
    /// Slots touched since the last [`AnyTable::capture`], each once.
    marks: Vec<u32>,
    len: usize,
}

/// Slots of one page.
const PAGE: usize = 64;

type Page<T> = [Row<T>; PAGE];

/// A page of vacant rows, which are made where they stay: a stack may be small.
fn vacant_page<T>() -> Box<Page<T>> {
    let rows: Vec<Row<T>> = (0..PAGE).map(|_| Row::vacant()).collect();
    rows.try_into().unwrap_or_else(|_| unreachable!("there are as many rows as in a page"))
}

#[derive(Debug)]
struct Row<T> {
    /// Of the entity here, or of the last one that was.
    generation: u32,
    scope: Scope,
    /// Whether the slot is in `marks`.
    marked: bool,
    entity: Option<T>,
}

impl<T> Row<T> {
    const fn vacant() -> Row<T> {
        Row { generation: 0, scope: Scope::ROOM, marked: false, entity: None }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        let (pages, free) = (Vec::new(), BinaryHeap::new());
        Table { pages, slots: 0, free, marks: Vec::new(), len: 0 }
    }
}

/// The table has [`SLOTS_MAX`] entities: what was to be spawned comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> Table<T> {
    /// Adds an entity that everybody in the room sees.
    ///
    /// # Panics
    /// If the table is full; see [`Table::try_spawn`].
    pub fn spawn(&mut self, entity: T) -> Id<T> {
        self.spawn_in(Scope::ROOM, entity)
    }

    /// Adds an entity to a scope.
    ///
    /// # Panics
    /// If the table is full; see [`Table::try_spawn`].
    pub fn spawn_in(&mut self, scope: Scope, entity: T) -> Id<T> {
        match self.try_spawn(scope, entity) {
            Ok(id) => id,
            Err(_) => panic!("a table holds at most {SLOTS_MAX} entities"),
        }
    }

    /// Adds an entity to a scope, unless the table is full.
    pub fn try_spawn(&mut self, scope: Scope, entity: T) -> Result<Id<T>, Full<T>> {
        let slot = match self.free.pop() {
            Some(Reverse(slot)) => slot,
            None if self.slots < SLOTS_MAX => self.slots,
            None => return Err(Full(entity)),
        };
        let row = self.place(slot);
        row.generation = row.generation.wrapping_add(1).max(1);
        row.scope = scope;
        row.entity = Some(entity);
        let id = Id::new(slot, row.generation);
        self.len += 1;
        self.mark(slot);
        Ok(id)
    }

    /// Takes an entity out of the table.
    pub fn despawn(&mut self, id: Id<T>) -> Option<T> {
        let row = self.row_mut(id)?;
        let entity = row.entity.take();
        self.len -= 1;
        self.free.push(Reverse(id.slot));
        self.mark(id.slot);
        entity
    }

    /// Takes out every entity that `keep` does not want, in the order of their slots.
    pub fn retain(&mut self, mut keep: impl FnMut(Id<T>, &T) -> bool) {
        for slot in 0..self.slots {
            let Some(row) = self.row(slot) else { continue };
            let id = Id::new(slot, row.generation);
            if row.entity.as_ref().is_some_and(|entity| !keep(id, entity)) {
                self.despawn(id);
            }
        }
    }

    /// The entity, unless it is gone.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.row(id.slot).filter(|row| row.generation == id.generation)?.entity.as_ref()
    }

    /// The entity to change, unless it is gone. Marks it.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let Table { pages, marks, .. } = self;
        let row = pages.get_mut(id.slot as usize / PAGE)?.as_mut()?;
        let row = &mut row[id.slot as usize % PAGE];
        if row.generation != id.generation {
            return None;
        }
        let entity = row.entity.as_mut()?;
        if !row.marked {
            row.marked = true;
            marks.push(id.slot);
        }
        Some(entity)
    }

    /// Whether the entity is there.
    pub fn contains(&self, id: Id<T>) -> bool {
        self.get(id).is_some()
    }

    /// The scope that the entity lives in, unless it is gone.
    pub fn scope(&self, id: Id<T>) -> Option<Scope> {
        let row = self.row(id.slot).filter(|row| row.generation == id.generation)?;
        row.entity.as_ref().map(|_| row.scope)
    }

    /// Moves the entity to another scope; `false` if it is gone.
    pub fn set_scope(&mut self, id: Id<T>, scope: Scope) -> bool {
        let Some(row) = self.row_mut(id) else { return false };
        if row.scope != scope {
            row.scope = scope;
            self.mark(id.slot);
        }
        true
    }

    /// All entities in the order of their slots.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id<T>, &T)> {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(page, rows)| Some((page * PAGE, rows.as_deref()?)));
        let rows = pages.flat_map(|(first, rows)| {
            rows.iter().enumerate().map(move |(at, row)| (first + at, row))
        });
        rows.filter_map(|(slot, row)| {
            Some((Id::new(slot as u32, row.generation), row.entity.as_ref()?))
        })
    }

    /// All entities to change, in the order of their slots. Marks every one:
    /// where only few change, [`Table::ids`] and [`Table::get_mut`] cost less.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (Id<T>, &mut T)> {
        let Table { pages, marks, .. } = self;
        let there = pages.iter_mut().enumerate();
        for (page, rows) in there.filter_map(|(page, rows)| Some((page, rows.as_deref_mut()?))) {
            for (at, row) in rows.iter_mut().enumerate() {
                if row.entity.is_some() && !row.marked {
                    row.marked = true;
                    marks.push((page * PAGE + at) as u32);
                }
            }
        }
        let pages = pages.iter_mut().enumerate();
        let pages = pages.filter_map(|(page, rows)| Some((page * PAGE, rows.as_deref_mut()?)));
        let rows = pages.flat_map(|(first, rows)| {
            rows.iter_mut().enumerate().map(move |(at, row)| (first + at, row))
        });
        rows.filter_map(|(slot, row)| {
            Some((Id::new(slot as u32, row.generation), row.entity.as_mut()?))
        })
    }

    /// The ids of all entities in the order of their slots.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id<T>> + '_ {
        self.iter().map(|(id, _)| id)
    }

    /// How many entities there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn row(&self, slot: u32) -> Option<&Row<T>> {
        let page = self.pages.get(slot as usize / PAGE)?.as_ref()?;
        page.get(slot as usize % PAGE)
    }

    #[inline]
    fn slot_mut(&mut self, slot: u32) -> Option<&mut Row<T>> {
        let page = self.pages.get_mut(slot as usize / PAGE)?.as_mut()?;
        page.get_mut(slot as usize % PAGE)
    }

    fn row_mut(&mut self, id: Id<T>) -> Option<&mut Row<T>> {
        self.slot_mut(id.slot).filter(|row| row.generation == id.generation && row.entity.is_some())
    }

    /// The row of a slot, which is made if it is not there.
    fn place(&mut self, slot: u32) -> &mut Row<T> {
        self.slots = self.slots.max(slot + 1);
        let (page, at) = (slot as usize / PAGE, slot as usize % PAGE);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        &mut self.pages[page].get_or_insert_with(vacant_page)[at]
    }

    fn mark(&mut self, slot: u32) {
        if let Some(row) = self.slot_mut(slot).filter(|row| !row.marked) {
            row.marked = true;
            self.marks.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_gone_and_marked_and_nothing_else_is() {
        let mut table = Table::<u8>::default();
        let ids: Vec<_> = (0..6).map(|n| table.spawn(n)).collect();
        table.despawn(ids[2]);
        table.marks.clear();
        table.pages[0]
            .iter_mut()
            .flat_map(|page| page.iter_mut())
            .for_each(|row| row.marked = false);
        let mut asked = Vec::new();
        table.retain(|id, &n| {
            asked.push(id);
            n % 2 == 0
        });
        assert_eq!(asked, [ids[0], ids[1], ids[3], ids[4], ids[5]]);
        assert_eq!(table.iter().map(|(_, &n)| n).collect::<Vec<_>>(), [0, 4]);
        assert_eq!(table.marks, [1, 3, 5]);
        assert_eq!(table.spawn(9).slot(), 1, "the lowest free slot is used again");
    }
}
