//! Numbers with a meaning: they travel as the number does.

use super::{Attr, Value};
use crate::codec::{Error, Reader, Writer};
use crate::heap::Heap;
use crate::player::PlayerId;
use crate::schema::Kind;
use crate::time::Tick;

macro_rules! as_u32 {
    ($($ty:ident)*) => {$(
        impl Value for $ty {
            const ACCEPTS: u32 = u32::ACCEPTS;
            fn kind(attr: &Attr) -> Kind {
                u32::kind(attr)
            }
            fn cells(attr: &Attr) -> usize {
                u32::cells(attr)
            }
            #[inline]
            fn numbers(attr: &Attr) -> u64 {
                u32::numbers(attr)
            }
            #[inline]
            fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
                self.0.store(attr, cells, heap);
            }
            #[inline]
            fn load(attr: &Attr, cells: &[i64], heap: &Heap) -> Self {
                $ty(u32::load(attr, cells, heap))
            }
            fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
                self.0.write(attr, w);
            }
            fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
                u32::read(attr, r).map($ty)
            }
        }
    )*};
}
as_u32! { PlayerId Tick }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    #[derive(Message, PartialEq, Debug)]
    struct Named {
        player: PlayerId,
        at: Option<Tick>,
    }

    #[derive(Message, PartialEq, Debug)]
    struct Plain {
        player: u32,
        at: Option<u32>,
    }

    #[test]
    fn a_player_and_a_tick_travel_as_their_numbers() {
        assert_eq!(Named::schema(), Plain::schema());
        let (mut named, mut plain) = (Vec::new(), Vec::new());
        Named { player: PlayerId(70_000), at: Some(Tick(3)) }.encode(&mut named);
        Plain { player: 70_000, at: Some(3) }.encode(&mut plain);
        assert_eq!(named, plain);
        let back = Named { player: PlayerId(70_000), at: Some(Tick(3)) };
        assert_eq!(Named::decode(&plain), Ok(back));
    }
}
