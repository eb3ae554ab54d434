//! Looks for memory that is in use and not in huge pages.

mod advice;
mod maps;
mod thread;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;

pub(crate) use thread::Thread;

/// Addresses of one huge page.
pub type Range = std::ops::Range<usize>;

/// What became of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is in a huge page now.
    Collapsed,
    /// The kernel puts it into a huge page in its own time: it is one before 6.1, or the range
    /// is in use in a way that it has to wait for.
    Asked,
    /// The kernel has no huge page to give at the moment.
    NoneFree,
}

/// A range of which at least this part is in use is worth a huge page: the rest of it
/// becomes used as well.
const USED_MIN: f64 = 0.5;

/// An entry of `/proc/self/pagemap`, and its bit that says whether the page is in memory.
const ENTRY_BYTES: usize = 8;
const PRESENT: u64 = 1 << 63;

/// Collects the memory of this process in huge pages.
#[derive(Debug)]
pub struct Collector {
    maps: File,
    pagemap: File,
    statm: File,
    /// Bytes of a page of each kind.
    page: usize,
    huge: usize,
    /// Starts of the ranges that were dealt with and are still there.
    done: BTreeSet<usize>,
    /// The fewest pages that were in memory since nothing was found.
    settled: Option<usize>,
    /// What was read last; kept, so that looking allocates nothing.
    text: String,
    entries: Vec<u8>,
}

impl Collector {
    /// Nothing where the kernel has no huge pages, or its administrator wants none used.
    pub fn new() -> Option<Collector> {
        let settings =
            |name| fs::read_to_string(format!("/sys/kernel/mm/transparent_hugepage/{name}"));
        if settings("enabled").ok()?.contains("[never]") {
            return None;
        }
        let huge = settings("hpage_pmd_size").ok()?.trim().parse().ok()?;
        let page = rustix::param::page_size();
        let open = |name| File::open(format!("/proc/self/{name}")).ok();
        Some(Collector {
            maps: open("maps")?,
            pagemap: open("pagemap")?,
            statm: open("statm")?,
            page,
            huge,
            done: BTreeSet::new(),
            settled: None,
            text: String::new(),
            entries: vec![0; huge / page * ENTRY_BYTES],
        })
    }

    /// The ranges that are worth a huge page and are not in one.
    ///
    /// # Errors
    /// If the kernel does not say how memory is used.
    pub fn waiting(&mut self) -> io::Result<Vec<Range>> {
        let resident = self.resident()?;
        let grown = |settled: usize| resident >= settled + self.huge / self.page / 4;
        if let Some(settled) = self.settled.filter(|settled| !grown(*settled)) {
            self.settled = Some(resident.min(settled));
            return Ok(Vec::new());
        }
        let waiting = self.look()?;
        self.settled = waiting.is_empty().then_some(resident);
        Ok(waiting)
    }

    /// Puts a range into a huge page, if the kernel has one.
    ///
    /// # Errors
    /// If the range is no longer there.
    pub fn collapse(&mut self, range: &Range) -> io::Result<Outcome> {
        // So that the kernel knows it too, should parts be given back and used again.
        advice::wish(range)?;
        advice::prepare(self.huge)?;
        let outcome = match advice::collapse(range) {
            Ok(()) => Outcome::Collapsed,
            Err(error) => match error.raw_os_error() {
                Some(libc::EINVAL | libc::EAGAIN | libc::EBUSY) => Outcome::Asked,
                Some(libc::ENOMEM) => return Ok(Outcome::NoneFree),
                _ => return Err(error),
            },
        };
        self.done.insert(range.start);
        Ok(outcome)
    }

    /// Pages of the process that are in memory.
    fn resident(&mut self) -> io::Result<usize> {
        read(&mut self.statm, &mut self.text)?;
        let pages = self.text.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok());
        pages.ok_or_else(|| io::Error::other("statm without resident pages"))
    }

    /// The ranges that are in use and were not dealt with.
    fn look(&mut self) -> io::Result<Vec<Range>> {
        read(&mut self.maps, &mut self.text)?;
        let mut done = BTreeSet::new();
        let mut waiting = Vec::new();
        for range in maps::heaps(&self.text).flat_map(|heap| within(heap, self.huge)) {
            if self.done.contains(&range.start) {
                done.insert(range.start);
            } else if used(&self.pagemap, &mut self.entries, range.start / self.page)? {
                waiting.push(range);
            }
        }
        self.done = done;
        Ok(waiting)
    }
}

/// The places for huge pages that lie within addresses.
fn within(heap: Range, huge: usize) -> impl Iterator<Item = Range> {
    let starts = (heap.start.next_multiple_of(huge)..heap.end).step_by(huge);
    starts.map(move |start| start..start + huge).filter(move |range| range.end <= heap.end)
}

/// A file of `/proc` as it is now.
fn read(file: &mut File, text: &mut String) -> io::Result<()> {
    text.clear();
    file.rewind()?;
    file.read_to_string(text).map(drop)
}

/// Whether enough of the pages from the one of this number on are in memory.
fn used(pagemap: &File, entries: &mut [u8], first: usize) -> io::Result<bool> {
    pagemap.read_exact_at(entries, (first * ENTRY_BYTES) as u64)?;
    let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
    let used = entries.iter().filter(|entry| u64::from_ne_bytes(**entry) & PRESENT != 0).count();
    Ok(used as f64 >= USED_MIN * entries.len() as f64)
}

#[cfg(test)]
mod tests;
