use std::fs;
use std::sync::Arc;

use super::*;

const MIB: usize = 1024 * 1024;

/// Small pages that have something in them, each something else.
fn filled(bytes: usize) -> Vec<u8> {
    let mut memory = vec![0; bytes];
    for (number, page) in memory.chunks_mut(4096).enumerate() {
        page[..8].copy_from_slice(&(number as u64 + 1).to_le_bytes());
    }
    memory
}

fn addresses(memory: &[u8]) -> Range {
    let start = memory.as_ptr().addr();
    start..start + memory.len()
}

/// Bytes of these addresses' mapping that are in huge pages, as the kernel tells.
fn in_huge_pages(addresses: &Range) -> usize {
    let smaps = fs::read_to_string("/proc/self/smaps").expect("this process' own");
    let mut bytes = 0;
    let mut inside = false;
    for line in smaps.lines() {
        let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
        if let Some((start, end)) = range {
            let address = |text| usize::from_str_radix(text, 16).expect("an address");
            inside = address(start) < addresses.end && address(end) > addresses.start;
        } else if inside && let Some(rest) = line.strip_prefix("AnonHugePages:") {
            let kib: usize = rest.trim().trim_end_matches(" kB").parse().expect("a number");
            bytes += kib * 1024;
        }
    }
    bytes
}

/// Collects all that waits: the ranges, or why none can be.
fn collect_all(collector: &mut Collector) -> Result<Vec<Range>, &'static str> {
    let mut ranges = Vec::new();
    for range in collector.waiting().expect("the kernel tells how memory is used") {
        match collector.collapse(&range) {
            Ok(Outcome::Collapsed) => ranges.push(range),
            Ok(Outcome::NoneFree) => return Err("this machine has no huge page free"),
            Ok(Outcome::Asked) if ranges.is_empty() => {
                return Err("this kernel does it in its own time");
            }
            // Memory of the test's own threads may be given back meanwhile.
            Ok(Outcome::Asked) | Err(_) => {}
        }
    }
    Ok(ranges)
}

#[test]
fn memory_in_use_is_collected_and_stays_what_it_was() {
    let Some(mut collector) = Collector::new() else {
        eprintln!("skipped: huge pages are off on this machine");
        return;
    };
    let memory = filled(16 * MIB);
    let before = memory.clone();
    let sparse: Vec<u8> = vec![0; 16 * MIB];
    let ranges = match collect_all(&mut collector) {
        Ok(ranges) => ranges,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let of = |memory: &[u8]| {
        let all = addresses(memory);
        ranges.iter().filter(|range| range.start < all.end && range.end > all.start).count()
    };
    // Its ends are within a huge page that is not all its own.
    let huge = collector.huge;
    assert!(
        (of(&memory) + 1) * huge >= 16 * MIB - huge,
        "{ranges:x?} of {:x?}",
        addresses(&memory)
    );
    assert!(of(&sparse) <= 2, "what is not in use is left alone: {ranges:x?}");
    assert!(memory == before, "memory is what it was");
    assert!(in_huge_pages(&addresses(&memory)) >= of(&memory) * huge - huge);
    let again = collector.waiting().expect("as before");
    assert!(again.iter().all(|range| !ranges.contains(range)), "each is collected once");
}

#[test]
fn places_are_whole_and_inside() {
    let places = |range| within(range, 0x1000).collect::<Vec<_>>();
    assert_eq!(places(0x1800..0x4000), [0x2000..0x3000, 0x3000..0x4000]);
    assert_eq!(places(0x1000..0x3fff), [0x1000..0x2000, 0x2000..0x3000]);
    assert_eq!(places(0x1001..0x2fff), []);
    assert_eq!(places(0..0), []);
}

#[test]
fn one_thread_serves_all_who_ask_and_ends_with_the_last() {
    let keep = || crate::keep().expect("there is a thread").map(|keeper| keeper._thread);
    let (Some(first), Some(second)) = (keep(), keep()) else {
        return eprintln!("skipped: huge pages are off on this machine");
    };
    assert!(Arc::ptr_eq(&first, &second));
    let known = Arc::downgrade(&first);
    drop(first);
    assert!(known.upgrade().is_some());
    // Returns when the thread has ended.
    drop(second);
    assert!(known.upgrade().is_none());
    let third = keep().expect("as before");
    assert!(!known.ptr_eq(&Arc::downgrade(&third)));
}
