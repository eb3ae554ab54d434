//! Which memory of a process is the allocator's, from `/proc/self/maps`.

use std::ops::Range;

/// The addresses of memory that belongs to this process alone, is no file's and no stack's.
pub(super) fn heaps(maps: &str) -> impl Iterator<Item = Range<usize>> {
    maps.lines().filter_map(heap)
}

/// One line, such as `55d0c000-55f0c000 rw-p 00000000 00:00 0   [heap]`.
fn heap(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let private = words.next()? == "rw-p";
    let mut words = words.skip(2);
    let file = words.next()? != "0";
    let name = words.next().unwrap_or_default();
    let heap =
        private && !file && (name.is_empty() || name == "[heap]" || name.starts_with("[anon:"));
    let address = |text| usize::from_str_radix(text, 16).ok();
    let range = address(start)?..address(end)?;
    heap.then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps_are_what_is_private_and_without_a_file() {
        let maps = "\
            00400000-00600000 r-xp 00000000 fe:00 1234  /usr/bin/server\n\
            00600000-00800000 rw-p 00200000 fe:00 1234  /usr/bin/server\n\
            00800000-00c00000 rw-p 00000000 00:00 0     [heap]\n\
            01000000-02000000 rw-p 00000000 00:00 0 \n\
            02000000-03000000 ---p 00000000 00:00 0 \n\
            03000000-04000000 rw-s 00000000 00:01 77    /memfd:shared (deleted)\n\
            04000000-05000000 rw-p 00000000 00:00 0     [anon:arena]\n\
            05000000-06000000 rw-p 00000000 00:00 0     [stack]\n\
            06000000-06001000 r-xp 00000000 00:00 0     [vdso]\n\
            a line that makes no sense\n";
        let found: Vec<_> = heaps(maps).collect();
        assert_eq!(found, [0x80_0000..0xc0_0000, 0x100_0000..0x200_0000, 0x400_0000..0x500_0000]);
    }
}
