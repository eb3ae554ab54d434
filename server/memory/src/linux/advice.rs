//! What the kernel is asked for. The one place of the server with unsafe code.

use std::io;
use std::ptr;

use super::Range;

/// Wants huge pages for a range from now on.
pub(super) fn wish(range: &Range) -> io::Result<()> {
    advise(range, libc::MADV_HUGEPAGE)
}

/// Puts the pages that a range has into a huge one, before it returns. Who touches the
/// range meanwhile, or has a page fault, waits.
pub(super) fn collapse(range: &Range) -> io::Result<()> {
    advise(range, libc::MADV_COLLAPSE)
}

/// Has the kernel find a huge page of so many bytes and get it ready, and gives it back: it is
/// the next one that this core gets. Where the machine is a virtual one, the first touch of
/// its memory can take ten times as long as copying a page, and here nobody waits for it.
#[expect(unsafe_code, reason = "memory whose place is chosen, and not the allocator's")]
pub(super) fn prepare(huge: usize) -> io::Result<()> {
    let (access, kind) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping takes nobody's place.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), 2 * huge, access, kind, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = mapped.addr().next_multiple_of(huge);
    let wished = wish(&(start..start + huge));
    if wished.is_ok() {
        // SAFETY: it is within the mapping, which is writable and known to nobody else.
        unsafe { mapped.with_addr(start).cast::<u8>().write_volatile(1) };
    }
    // SAFETY: as above; nothing refers to it any more.
    let unmapped = unsafe { libc::munmap(mapped, 2 * huge) };
    debug_assert_eq!(unmapped, 0, "what was mapped can be unmapped");
    wished
}

/// Passes advice on.
#[expect(unsafe_code, reason = "no crate has a safe form of these two")]
fn advise(range: &Range, advice: libc::c_int) -> io::Result<()> {
    let start = ptr::without_provenance_mut(range.start);
    // SAFETY: both change how memory is kept and not what is in it, whoever uses it meanwhile;
    // of a range that is not mapped the kernel says so.
    let result = unsafe { libc::madvise(start, range.len(), advice) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
