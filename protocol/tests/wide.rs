//! Integers of 128 bits: how their bounds choose their form, and that values
//! and cells say the same whatever the form is.

use proptest::prelude::*;
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::{IntRepr, Kind};
use tickwire_protocol::value::{Attr, Bound, Value};
use tickwire_protocol::{Message, codec, dynamic};

const fn bounds(min: i128, max: i128) -> Attr {
    Attr { min: Some(Bound::Int(min)), max: Some(Bound::Int(max)), ..Attr::PLAIN }
}

fn int(repr: IntRepr, min: i128, max: i128) -> Kind {
    Kind::Int { repr, min, max, motion: false }
}

/// The kinds of the fields of a struct.
fn fields(kind: Kind) -> Vec<(String, Kind)> {
    let Kind::Struct(fields) = kind else { panic!("a struct: {kind:?}") };
    fields.into_iter().map(|field| (field.name, field.kind)).collect()
}

fn halves(high: Kind) -> Vec<(String, Kind)> {
    let low = int(IntRepr::U64, 0, u64::MAX.into());
    vec![("high".to_owned(), high), ("low".to_owned(), low)]
}

#[test]
fn bounds_that_fit_64_bits_make_one_integer_and_others_two_halves() {
    let (u64_max, i64_min) = (i128::from(u64::MAX), i128::from(i64::MIN));
    let whole_u64 = int(IntRepr::U64, 0, u64_max);
    let whole_i64 = int(IntRepr::I64, i64_min, i64::MAX.into());
    assert_eq!(u128::kind(&bounds(3, u64_max)), int(IntRepr::U64, 3, u64_max));
    assert_eq!(i128::kind(&bounds(0, u64_max)), whole_u64);
    assert_eq!(i128::kind(&bounds(i64_min, -1)), int(IntRepr::I64, i64_min, -1));
    assert_eq!(fields(u128::kind(&Attr::PLAIN)), halves(whole_u64.clone()));
    assert_eq!(fields(i128::kind(&Attr::PLAIN)), halves(whole_i64));
    assert_eq!(
        fields(i128::kind(&bounds(i64_min - 1, 5))),
        halves(int(IntRepr::I64, -1, 0)),
        "one below: the high half is -1 or 0",
    );
    assert_eq!(
        fields(u128::kind(&bounds(u64_max + 1, u64_max + 9))),
        halves(whole_u64),
        "a range of one value is none",
    );
}

#[derive(Message, Clone, PartialEq, Debug)]
struct Purse {
    gold: u128,
    debt: i128,
    #[net(min = -5, max = 20_000_000_000_000_000_000)]
    small: i128,
    #[net(min = 18_446_744_073_709_551_617)]
    rich: u128,
    #[net(min = -9, max = 9, motion)]
    step: i128,
    #[net(max_len = 4)]
    list: Vec<i128>,
    pair: [u128; 2],
    maybe: Option<u128>,
}

impl Purse {
    /// What arrives: everything within its bounds.
    fn bounded(&self) -> Purse {
        let mut purse = self.clone();
        purse.small = purse.small.clamp(-5, 20_000_000_000_000_000_000);
        purse.rich = purse.rich.max((1 << 64) + 1);
        purse.step = purse.step.clamp(-9, 9);
        purse.list.truncate(4);
        purse
    }
}

/// Values near the ends of halves as often as others.
fn wide() -> impl Strategy<Value = i128> {
    let ends = prop::sample::select(vec![0, i128::MIN, i128::MAX, 1 << 64, -(1 << 64), 1 << 63]);
    prop_oneof![any::<i128>(), (ends, -2..3i128).prop_map(|(end, off)| end.wrapping_add(off))]
}

prop_compose! {
    fn purse()(
        gold in wide(), debt in wide(), small in wide(), rich in wide(), step in wide(),
        list in prop::collection::vec(wide(), 0..6), pair in [wide(), wide()],
        maybe in prop::option::of(wide()),
    ) -> Purse {
        Purse {
            gold: gold as u128, debt, small, rich: rich as u128, step, list,
            pair: pair.map(|half| half as u128), maybe: maybe.map(|some| some as u128),
        }
    }
}

proptest! {
    #[test]
    fn a_value_returns_from_its_bytes_and_its_cells(purse in purse()) {
        let mut bytes = Vec::new();
        purse.encode(&mut bytes);
        prop_assert_eq!(Purse::decode(&bytes), Ok(purse.bounded()));

        let (mut cells, mut heap) = (vec![0; Purse::cells(&Attr::PLAIN)], Heap::default());
        purse.store(&Attr::PLAIN, &mut cells, &mut heap);
        prop_assert_eq!(Purse::load(&Attr::PLAIN, &cells, &heap), purse.bounded());

        // By the schema alone it is the same message.
        let kind = Purse::schema();
        let mut r = codec::Reader::new(&bytes);
        let value = dynamic::Value::read(&kind, &mut r).expect("a value");
        prop_assert_eq!(&dynamic::Value::from_cells(&kind, &cells, &heap), &value);
        let mut again = Vec::new();
        value.write(&kind, &mut codec::Writer::new(&mut again));
        prop_assert_eq!(again, bytes);
    }

    /// Halves can be out of the range together, though each is in its own.
    #[test]
    fn whatever_the_cells_are_the_value_is_in_range(high in any::<i64>(), low in any::<i64>()) {
        let attr = bounds(-(5 << 64) - 3, (7 << 64) + 3);
        let value = i128::load(&attr, &[high.clamp(-6, 7), low], &Heap::default());
        prop_assert!((-(5 << 64) - 3..=(7 << 64) + 3).contains(&value));
    }
}

#[test]
fn the_dynamic_view_has_both_halves() {
    let mut bytes = Vec::new();
    (-2i128).write(&Attr::PLAIN, &mut codec::Writer::new(&mut bytes));
    let kind = i128::kind(&Attr::PLAIN);
    let value = dynamic::Value::read(&kind, &mut codec::Reader::new(&bytes)).expect("a value");
    assert_eq!(value.get("high"), Some(&dynamic::Value::Int(-1)));
    assert_eq!(value.get("low"), Some(&dynamic::Value::Int(i128::from(u64::MAX) - 1)));
}
