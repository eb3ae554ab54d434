//! Values that hold others: options, lists, arrays.
//!
//! Cells that are not in use (behind the end of a list, of an option that is
//! nothing) are zero, so that rows compare as plain integers.

use super::{Attr, Value, accepts};
use crate::codec::{Error, Reader, Writer};
use crate::heap::Heap;
use crate::schema::Kind;

impl<T: Value> Value for Option<T> {
    const ACCEPTS: u32 = T::ACCEPTS & !accepts::MOTION;
    fn kind(attr: &Attr) -> Kind {
        Kind::Option(Box::new(T::kind(attr)))
    }
    fn cells(attr: &Attr) -> usize {
        1 + T::cells(attr)
    }
    fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        let (flag, cells) = cells.split_at_mut(1);
        flag[0] = i64::from(self.is_some());
        match self {
            Some(value) => value.store(attr, cells, heap),
            None => T::wipe(attr, cells, heap),
        }
    }
    fn load(attr: &Attr, cells: &[i64], heap: &Heap) -> Self {
        (cells[0] != 0).then(|| T::load(attr, &cells[1..], heap))
    }
    fn wipe(attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        cells[0] = 0;
        T::wipe(attr, &mut cells[1..], heap);
    }
    fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
        w.bool(self.is_some());
        if let Some(value) = self {
            value.write(attr, w);
        }
    }
    fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(if r.bool()? { Some(T::read(attr, r)?) } else { None })
    }
}

/// A list keeps the first `max_len` elements; what is more is not sent.
impl<T: Value> Value for Vec<T> {
    const ACCEPTS: u32 = (T::ACCEPTS & !accepts::MOTION) | accepts::MAX_LEN;
    fn kind(attr: &Attr) -> Kind {
        Kind::List { of: Box::new(T::kind(attr)), max: attr.max_len }
    }
    fn cells(attr: &Attr) -> usize {
        1 + T::cells(attr) * attr.max_len as usize
    }
    fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        let (len, cells) = cells.split_at_mut(1);
        len[0] = self.len().min(attr.max_len as usize) as i64;
        let mut places = cells.chunks_exact_mut(T::cells(attr).max(1));
        for (value, place) in self.iter().zip(&mut places) {
            value.store(attr, place, heap);
        }
        for place in places {
            T::wipe(attr, place, heap);
        }
    }
    fn load(attr: &Attr, cells: &[i64], heap: &Heap) -> Self {
        let places = cells[1..].chunks_exact(T::cells(attr).max(1));
        places.take(cells[0] as usize).map(|place| T::load(attr, place, heap)).collect()
    }
    fn wipe(attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        cells[0] = 0;
        for place in cells[1..].chunks_exact_mut(T::cells(attr).max(1)) {
            T::wipe(attr, place, heap);
        }
    }
    fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
        let len = self.len().min(attr.max_len as usize);
        w.usize(len);
        for value in &self[..len] {
            value.write(attr, w);
        }
    }
    fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
        let len = r.count(attr.max_len as usize)?;
        // Grows as the elements turn out to be there.
        let mut list = Vec::new();
        for _ in 0..len {
            list.push(T::read(attr, r)?);
        }
        Ok(list)
    }
}

impl<T: Value, const N: usize> Value for [T; N] {
    const ACCEPTS: u32 = T::ACCEPTS & !accepts::MOTION;
    fn kind(attr: &Attr) -> Kind {
        Kind::Array { of: Box::new(T::kind(attr)), len: N as u32 }
    }
    fn cells(attr: &Attr) -> usize {
        T::cells(attr) * N
    }
    fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        for (value, place) in self.iter().zip(cells.chunks_exact_mut(T::cells(attr).max(1))) {
            value.store(attr, place, heap);
        }
    }
    fn load(attr: &Attr, cells: &[i64], heap: &Heap) -> Self {
        let size = T::cells(attr);
        core::array::from_fn(|i| T::load(attr, &cells[i * size..(i + 1) * size], heap))
    }
    fn wipe(attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        for place in cells.chunks_exact_mut(T::cells(attr).max(1)) {
            T::wipe(attr, place, heap);
        }
    }
    fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
        for value in self {
            value.write(attr, w);
        }
    }
    fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut list = Vec::new();
        for _ in 0..N {
            list.push(T::read(attr, r)?);
        }
        list.try_into().map_err(|_| Error::Truncated)
    }
}
