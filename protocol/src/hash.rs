//! The state hash: 32 bits that a server and a mirror both compute from the
//! same rows, so that a divergence does not go unnoticed.
//!
//! ```text
//! mix(h, w) = let m = (h ^ w) * 0x9E3779B1 in m ^ (m >> 15)
//! row       = finish(mix over: table index, slot, generation, values)
//! value     = scalar, reference    low word and high word of the cell
//!             text                 length, then words of 4 bytes, the last padded with zeros
//!             option, list, enum   its first cell as one word, then what it holds
//! finish(h) = h ^= h >> 16, h *= 0x85EBCA6B, h ^= h >> 13, h *= 0xC2B2AE35, h ^= h >> 16
//! state     = the sum of its rows, in any order
//! ```
//!
//! All modulo 2^32. The finish is that of MurmurHash3 (Austin Appleby, public
//! domain). It finds faults, not attacks.

use crate::heap::Heap;
use crate::schema::layout::{Node, Record, TableLayout};

/// The hash of one row; the hash of a state is the wrapping sum of its rows'.
pub fn row(
    table: usize,
    layout: &TableLayout,
    slot: u32,
    generation: u32,
    cells: &[i64],
    heap: &Heap,
) -> u32 {
    let hash = mix(mix(mix(0, table as u32), slot), generation);
    let hash = record(hash, &layout.record, cells, heap);
    let hash = (hash ^ hash >> 16).wrapping_mul(0x85EB_CA6B);
    let hash = (hash ^ hash >> 13).wrapping_mul(0xC2B2_AE35);
    hash ^ hash >> 16
}

#[inline]
fn mix(hash: u32, word: u32) -> u32 {
    let mixed = (hash ^ word).wrapping_mul(0x9E37_79B1);
    mixed ^ mixed >> 15
}

fn record(hash: u32, record: &Record, cells: &[i64], heap: &Heap) -> u32 {
    record.leaves.iter().fold(hash, |hash, leaf| {
        value(hash, &leaf.node, &cells[leaf.at..leaf.at + leaf.cells], heap)
    })
}

fn value(hash: u32, node: &Node, cells: &[i64], heap: &Heap) -> u32 {
    match node {
        Node::Scalar(_) | Node::Ref => mix(mix(hash, cells[0] as u32), (cells[0] >> 32) as u32),
        Node::Text { .. } => {
            let text = heap.get(cells[0]);
            text.chunks(4).fold(mix(hash, text.len() as u32), |hash, bytes| {
                let mut word = [0; 4];
                word[..bytes.len()].copy_from_slice(bytes);
                mix(hash, u32::from_le_bytes(word))
            })
        }
        Node::Option(of) => {
            let hash = mix(hash, cells[0] as u32);
            if cells[0] == 0 { hash } else { value(hash, of, &cells[1..], heap) }
        }
        Node::Enum { variants, .. } => {
            let hash = mix(hash, cells[0] as u32);
            record(hash, &variants[cells[0] as usize], &cells[1..], heap)
        }
        Node::List { of, stride, .. } => {
            let places = cells[1..].chunks_exact(*stride).take(cells[0] as usize);
            places.fold(mix(hash, cells[0] as u32), |hash, place| value(hash, of, place, heap))
        }
        Node::Array { of, stride, .. } => {
            cells.chunks_exact(*stride).fold(hash, |hash, place| value(hash, of, place, heap))
        }
        Node::Record(inner) => record(hash, inner, cells, heap),
    }
}
