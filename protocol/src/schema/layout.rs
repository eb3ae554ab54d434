//! The schema compiled for the codec: where each leaf's cells are, and which
//! code each of them takes.
//!
//! Both directions of the chunk codec walk this and nothing else, so neither
//! can know of a field that the other forgot.

use super::{Field, FloatRepr, IntRepr, Kind, Schema, TableSchema};
use crate::bits::{Mean, Short};
use crate::chunk::near;
use crate::grid::Grid;
use crate::heap::Heap;
use crate::limits::LEAVES_MAX;
use crate::value::int_origin;

/// A schema's tables, compiled.
#[derive(Clone, Debug)]
pub struct Layout {
    /// One for each table, in the schema's order.
    pub tables: Vec<TableLayout>,
}

/// One table, compiled.
#[derive(Clone, Debug)]
pub struct TableLayout {
    /// The entity's leaves.
    pub record: Record,
    /// The same leaves for the inner loops of the codec, which have no use for names
    /// and trees. There are always as many, so that no bit of a mask is without.
    pub steps: Box<[Step; LEAVES_MAX]>,
    /// Cells of a row.
    pub cells: usize,
    /// The leaves that are motion, as a mask.
    pub motion: u64,
    /// Each of them.
    pub motions: Vec<Motion>,
    /// Where running means start in a plain section: one for each bit of a mask, then
    /// those inside of leaves. What has no use for its mean never looks at it.
    pub means: Vec<Mean>,
    /// The same for a section of predicted updates.
    pub means_predicted: Vec<Mean>,
}

/// A leaf that chunks may predict.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    /// Its cell in the row.
    pub at: usize,
    /// Its bit in a mask of leaves.
    pub bit: u32,
    /// Its integer.
    pub scalar: Scalar,
    /// What leads to its next integer mostly.
    pub(crate) course: Course,
}

/// Where a leaf of motion is after a line and a short way: for most places one comparison
/// says that neither left the range, or that a ring leads both back into it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// The first place of these.
    first: i64,
    /// All ones, or what of a ring's places counts.
    wrap: u64,
    /// The last place, counted from the first.
    room: u64,
}

/// Leaves side by side: a row, an element, a variant's payload.
#[derive(Clone, Debug)]
pub struct Record {
    /// At most 64.
    pub leaves: Vec<Leaf>,
    /// Cells of all of them.
    pub cells: usize,
}

/// A leaf as the codec's inner loops see it: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Step {
    /// First cell of the row.
    pub at: u32,
    /// Whether this is more than an integer: then [`Leaf::node`] says what.
    pub tree: bool,
    /// The integer; of a tree, one that has no differences.
    pub scalar: Scalar,
}

/// A field after nested structs are flattened.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Path of names from the record, as `pos.x`.
    pub name: String,
    /// First cell, counted from the record's first.
    pub at: usize,
    /// How many cells.
    pub cells: usize,
    /// How they are written.
    pub node: Node,
    /// Whether predicted chunks extrapolate it; then it is a scalar.
    pub motion: bool,
}

/// How a value is written.
#[derive(Clone, Debug)]
pub enum Node {
    /// An integer in one cell.
    Scalar(Scalar),
    /// A handle of at most `max` bytes in the heap.
    Text {
        /// Most bytes.
        max: usize,
        /// Whether they must be UTF-8.
        utf8: bool,
    },
    /// Slot and generation of an entity.
    Ref,
    /// A flag cell, then the value's cells.
    Option(Box<Node>),
    /// A tag cell, then the cells of the largest payload.
    Enum {
        /// The code of the tag.
        tag: Scalar,
        /// What each variant carries.
        variants: Vec<Record>,
    },
    /// A length cell, then `max` places of `stride` cells.
    List {
        /// The elements.
        of: Box<Node>,
        /// Most elements.
        max: usize,
        /// Cells of one.
        stride: usize,
    },
    /// `len` places of `stride` cells.
    Array {
        /// The elements.
        of: Box<Node>,
        /// How many.
        len: usize,
        /// Cells of one.
        stride: usize,
    },
    /// A struct that is an element or an option's value.
    Record(Record),
}

/// An integer and its code.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    /// The smallest cell.
    pub lowest: i64,
    /// The largest cell minus the smallest.
    pub span: u64,
    /// Bits of `span`.
    pub width: u32,
    /// How many cells a ring has; 0 if this is not one.
    pub around: i64,
    /// Twice the longest way in a ring; what never is too long if this is not one.
    pub reach: u64,
    /// Bits that a float may not have all set: then it is not finite. 0 for others.
    pub not_finite: u64,
    /// The index of its running mean in the table, if the code has one.
    pub mean: u32,
    /// For which differences codes are looked up, if it has differences: from
    /// minus this to just below it.
    pub near: u8,
    /// How it is written.
    pub code: Code,
}

/// The code of a scalar, chosen from its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// Two values: that it changed says all.
    Flip,
    /// `width` bits: names and bit patterns, where near means nothing.
    Fixed,
    /// The difference to the base; `width` bits in a new row.
    Near,
    /// The difference to the base, in a new row too: wide integers that are mostly small.
    Count,
}

/// Scalars of at most this many bits are written as they are.
const FIXED_WIDTH_MAX: u32 = 4;
/// Integers of this width that use their type's whole range count from zero.
const COUNT_WIDTH_MIN: u32 = 16;
/// Where the mean of a quantised float starts: eight steps a tick.
const MEAN_QUANTISED: u8 = 8;
/// Where the mean of an angle starts.
const MEAN_ANGLE: u8 = 4;
/// Where the mean of an integer starts.
const MEAN_INT: u8 = 2;
/// Where the mean of a motion leaf starts when it is predicted.
const MEAN_PREDICTED: u8 = 1;

/// How many cells a value of a kind takes.
pub fn cells_of(kind: &Kind) -> usize {
    let fields = |fields: &[Field]| fields.iter().map(|field| cells_of(&field.kind)).sum();
    match kind {
        Kind::Option(of) => 1 + cells_of(of),
        Kind::Struct(inner) => fields(inner),
        Kind::Enum(variants) => {
            1 + variants.iter().map(|variant| fields(&variant.fields)).max().unwrap_or(0)
        }
        Kind::List { of, max } => 1 + cells_of(of) * *max as usize,
        Kind::Array { of, len } => cells_of(of) * *len as usize,
        _ => 1,
    }
}

impl Layout {
    /// Compiles a schema that is within the limits.
    pub fn new(schema: &Schema) -> Layout {
        Layout { tables: schema.tables.iter().map(TableLayout::new).collect() }
    }
}

impl TableLayout {
    fn new(table: &TableSchema) -> TableLayout {
        let mut build = Build { means: Vec::new() };
        let record = build.table(&table.fields);
        let mut means_predicted = build.means.clone();
        let (mut motion, mut motions) = (0, Vec::new());
        for (index, leaf) in record.leaves.iter().enumerate() {
            if let (true, Node::Scalar(scalar)) = (leaf.motion, &leaf.node) {
                motion |= 1 << index;
                let (at, bit, course) = (leaf.at, index as u32, Course::new(scalar));
                motions.push(Motion { at, bit, scalar: *scalar, course });
                if matches!(scalar.code, Code::Near | Code::Count) {
                    means_predicted[scalar.mean as usize] = Mean::new(MEAN_PREDICTED);
                }
            }
        }
        let steps = Step::all(&record);
        TableLayout {
            steps,
            cells: record.cells,
            record,
            motion,
            motions,
            means: build.means,
            means_predicted,
        }
    }
}

impl TableLayout {
    /// The motion leaves, if there are `N` of them and they are side by side: a position
    /// and a heading mostly are. Loops over so many are compiled on their own.
    #[inline(always)]
    pub(crate) fn motions_in_a_row<const N: usize>(&self) -> Option<&[Motion; N]> {
        let leaves: &[Motion; N] = self.motions.as_slice().try_into().ok()?;
        let (at, bit) = (leaves[0].at, leaves[0].bit);
        let mut places = leaves.iter().enumerate();
        places.all(|(i, leaf)| (leaf.at, leaf.bit) == (at + i, bit + i as u32)).then_some(leaves)
    }
}

impl Record {
    /// Zeroes the cells of all leaves and gives their texts back.
    pub fn wipe(&self, cells: &mut [i64], heap: &mut Heap) {
        for leaf in &self.leaves {
            leaf.node.wipe(&mut cells[leaf.at..leaf.at + leaf.cells], heap);
        }
    }

    /// Whether each leaf is one cell: the common row.
    #[inline(always)]
    pub fn flat(&self) -> bool {
        self.leaves.len() == self.cells
    }

    /// The mask of leaves in which two rows differ.
    #[inline]
    pub fn differing(&self, a: &[i64], b: &[i64]) -> u64 {
        if self.flat() && a.len() >= self.cells && b.len() >= self.cells {
            let pairs = a[..self.cells].iter().zip(&b[..self.cells]);
            return pairs.enumerate().fold(0, |mask, (i, (a, b))| mask | u64::from(a != b) << i);
        }
        self.differing_among(u64::MAX, a, b)
    }

    /// The same among some leaves only.
    #[inline]
    pub fn differing_among(&self, leaves: u64, a: &[i64], b: &[i64]) -> u64 {
        let (mut left, mut mask) = (leaves, 0);
        while left != 0 {
            let index = left.trailing_zeros() as usize;
            let Some(leaf) = self.leaves.get(index) else { break };
            let cells = leaf.at..leaf.at + leaf.cells;
            let differs = match leaf.cells {
                1 => a[leaf.at] != b[leaf.at],
                _ => a[cells.clone()] != b[cells],
            };
            mask |= u64::from(differs) << index;
            left &= left - 1;
        }
        mask
    }
}

impl Node {
    /// Zeroes the cells of a value and gives its texts back.
    pub fn wipe(&self, cells: &mut [i64], heap: &mut Heap) {
        match self {
            Node::Scalar(_) | Node::Ref => {}
            Node::Text { .. } => heap.clear(&mut cells[0]),
            Node::Option(of) => of.wipe(&mut cells[1..], heap),
            Node::Enum { variants, .. } => {
                if let Some(record) = variants.get(cells[0] as usize) {
                    record.wipe(&mut cells[1..], heap);
                }
            }
            Node::List { of, stride, .. } => {
                cells[1..].chunks_exact_mut(*stride).for_each(|place| of.wipe(place, heap));
            }
            Node::Array { of, stride, .. } => {
                cells.chunks_exact_mut(*stride).for_each(|place| of.wipe(place, heap));
            }
            Node::Record(record) => record.wipe(cells, heap),
        }
        cells.fill(0);
    }
}

impl Scalar {
    /// The difference that leads from `base` to `cell`: the short way in a ring.
    #[inline(always)]
    pub fn difference(&self, base: i64, cell: i64) -> i64 {
        let difference = cell.wrapping_sub(base);
        // Of what is no ring, no difference is too long.
        if difference.wrapping_add((self.reach >> 1) as i64) as u64 <= self.reach {
            difference
        } else {
            self.short_way(difference)
        }
    }

    #[inline(always)]
    fn short_way(&self, difference: i64) -> i64 {
        if difference > 0 { difference - self.around } else { difference + self.around }
    }

    /// The cell that lies `difference` from `base`, if it is in the range.
    #[inline(always)]
    pub fn apply(&self, base: i64, difference: i64) -> Option<i64> {
        let cell = base.wrapping_add(difference);
        if self.contains(cell) { Some(cell) } else { self.apply_around(cell) }
    }

    #[cold]
    fn apply_around(&self, cell: i64) -> Option<i64> {
        let around = if cell < self.lowest { self.around } else { -self.around };
        Some(cell.wrapping_add(around)).filter(|&cell| self.contains(cell))
    }

    /// Whether the cell is in the range.
    #[inline]
    pub fn contains(&self, cell: i64) -> bool {
        cell.wrapping_sub(self.lowest) as u64 <= self.span
    }

    /// Where a straight line through the cells at two ticks leads `ahead`
    /// ticks after the later one; `apart` ticks lie between the two.
    ///
    /// Only for motion: the range is below 2^32 and both spans below 2^8, so
    /// nothing here can overflow.
    #[inline(always)]
    pub fn extrapolate(&self, earlier: i64, later: i64, apart: u32, ahead: u32) -> i64 {
        // As it is while every frame comes.
        if apart == ahead {
            return self.go_on(earlier, later);
        }
        self.extrapolate_by(earlier, later, apart, ahead)
    }

    #[inline(never)]
    fn extrapolate_by(&self, earlier: i64, later: i64, apart: u32, ahead: u32) -> i64 {
        let moved = self.difference(earlier, later);
        let cell = later + (moved * i64::from(ahead)).div_euclid(i64::from(apart.max(1)));
        if self.contains(cell) { cell } else { self.contained(cell) }
    }

    /// The same for two spans of one length.
    #[inline(always)]
    pub(crate) fn go_on(&self, earlier: i64, later: i64) -> i64 {
        let cell = 2 * later - earlier;
        // In a ring, the long way leads to the same place if it does not leave the range.
        if self.contains(cell) { cell } else { self.contained(cell) }
    }

    #[cold]
    fn contained(&self, cell: i64) -> i64 {
        if self.around > 0 {
            (cell - self.lowest).rem_euclid(self.around) + self.lowest
        } else {
            cell.clamp(self.lowest, self.lowest + self.span as i64)
        }
    }
}

impl Motion {
    /// The cell that lies a short code's `difference` from where a line leads through two
    /// cells, as far from each other as it is from them; none if it is not in the range.
    #[inline(always)]
    pub(crate) fn follow(&self, earlier: i64, later: i64, difference: i64) -> Option<i64> {
        let Course { first, wrap, room } = self.course;
        let place = (2 * later - earlier + difference).wrapping_sub(first) as u64 & wrap;
        if place <= room {
            return Some(first.wrapping_add(place as i64));
        }
        self.follow_far(earlier, later, difference)
    }

    #[cold]
    #[inline(never)]
    fn follow_far(&self, earlier: i64, later: i64, difference: i64) -> Option<i64> {
        self.scalar.apply(self.scalar.go_on(earlier, later), difference)
    }
}

impl Course {
    fn new(scalar: &Scalar) -> Course {
        const MOST: u64 = Short::DIFFERENCE_MAX as u64;
        let Scalar { lowest, span, around, .. } = *scalar;
        if around > MOST as i64 && around.count_ones() == 1 {
            return Course { first: lowest, wrap: span, room: span };
        }
        // From all other places, no short way leads out of the range.
        match span.checked_sub(2 * MOST) {
            Some(room) => Course { first: lowest + MOST as i64, wrap: u64::MAX, room },
            // Nor is there one in so small a range: no sum is as much as this.
            None => Course { first: i64::MIN, wrap: u64::MAX, room: 0 },
        }
    }
}

impl Step {
    /// The steps of a record, and of leaves that it does not have.
    fn all(record: &Record) -> Box<[Step; LEAVES_MAX]> {
        let mut steps =
            Box::new([Step { at: 0, tree: true, scalar: Scalar::fixed(0) }; LEAVES_MAX]);
        for (step, leaf) in steps.iter_mut().zip(&record.leaves) {
            step.at = leaf.at as u32;
            if let Node::Scalar(scalar) = &leaf.node {
                (step.tree, step.scalar) = (false, *scalar);
            }
        }
        steps
    }
}

const _: () = assert!(size_of::<Step>() == 64, "one cache line");

/// The walk from kinds to nodes.
struct Build {
    means: Vec<Mean>,
}

impl Build {
    /// The record of a table: a leaf's mean has the leaf's number.
    fn table(&mut self, fields: &[Field]) -> Record {
        self.means.resize(LEAVES_MAX, Mean::new(0));
        let mut record = self.record(fields);
        for (index, leaf) in record.leaves.iter_mut().enumerate() {
            if let Node::Scalar(scalar) = &mut leaf.node {
                self.means[index] = self.means[scalar.mean as usize];
                scalar.mean = index as u32;
            }
        }
        record
    }

    fn record(&mut self, fields: &[Field]) -> Record {
        let mut record = Record { leaves: Vec::new(), cells: 0 };
        self.flatten(fields, "", &mut record);
        record
    }

    fn flatten(&mut self, fields: &[Field], path: &str, record: &mut Record) {
        for field in fields {
            let name = format!("{path}{}", field.name);
            if let Kind::Struct(inner) = &field.kind {
                self.flatten(inner, &format!("{name}."), record);
                continue;
            }
            let (node, cells) = self.node(&field.kind);
            let motion = match field.kind {
                Kind::Int { motion, .. }
                | Kind::Quantised { motion, .. }
                | Kind::Angle { motion, .. } => motion,
                _ => false,
            };
            record.leaves.push(Leaf { name, at: record.cells, cells, node, motion });
            record.cells += cells;
        }
    }

    fn node(&mut self, kind: &Kind) -> (Node, usize) {
        match kind {
            Kind::Bool => (Node::Scalar(Scalar::fixed(1)), 1),
            Kind::Int { repr, min, max, .. } => (self.int(*repr, *min, *max), 1),
            Kind::Float(FloatRepr::F32) => (
                Node::Scalar(Scalar { not_finite: 0x7F80_0000, ..Scalar::fixed(u32::MAX.into()) }),
                1,
            ),
            Kind::Float(FloatRepr::F64) => {
                (Node::Scalar(Scalar { not_finite: 0x7FF0 << 48, ..Scalar::fixed(u64::MAX) }), 1)
            }
            Kind::Quantised { min, max, step, ring, .. } => {
                (self.near(Grid::new(*min, *max, *step, *ring), MEAN_QUANTISED), 1)
            }
            Kind::Angle { bits, .. } => (self.near(Grid::angle(*bits), MEAN_ANGLE), 1),
            Kind::Text { max } => (Node::Text { max: *max as usize, utf8: true }, 1),
            Kind::Bytes { max } => (Node::Text { max: *max as usize, utf8: false }, 1),
            Kind::Ref { .. } => (Node::Ref, 1),
            Kind::Option(of) => {
                let (of, cells) = self.node(of);
                (Node::Option(Box::new(of)), 1 + cells)
            }
            Kind::Struct(fields) => {
                let record = self.record(fields);
                let cells = record.cells;
                (Node::Record(record), cells)
            }
            Kind::Enum(variants) => {
                let tag = Scalar::fixed(variants.len() as u64 - 1);
                let variants: Vec<Record> =
                    variants.iter().map(|variant| self.record(&variant.fields)).collect();
                let cells = 1 + variants.iter().map(|record| record.cells).max().unwrap_or(0);
                (Node::Enum { tag, variants }, cells)
            }
            Kind::List { of, max } => {
                let ((of, stride), max) = (self.node(of), *max as usize);
                (Node::List { of: Box::new(of), max, stride }, 1 + max * stride)
            }
            Kind::Array { of, len } => {
                let ((of, stride), len) = (self.node(of), *len as usize);
                (Node::Array { of: Box::new(of), len, stride }, len * stride)
            }
        }
    }

    fn int(&mut self, repr: IntRepr, min: i128, max: i128) -> Node {
        let origin = int_origin(min, max);
        let span = (max - min) as u64;
        let scalar = Scalar { lowest: (min - origin) as i64, ..Scalar::fixed(span) };
        let whole = (min, max) == repr.range();
        let code = match scalar.width {
            0..=FIXED_WIDTH_MAX => return Node::Scalar(scalar),
            COUNT_WIDTH_MIN.. if whole => Code::Count,
            _ => Code::Near,
        };
        Node::Scalar(self.adaptive(Scalar { code, ..scalar }, MEAN_INT))
    }

    fn near(&mut self, grid: Grid, mean: u8) -> Node {
        let span = (grid.highest() - grid.lowest()) as u64;
        let around = if grid.ring() { span as i64 + 1 } else { 0 };
        let reach = if grid.ring() { (around / 2 * 2) as u64 } else { u64::MAX };
        let scalar = Scalar { lowest: grid.lowest(), around, reach, ..Scalar::fixed(span) };
        if scalar.width <= FIXED_WIDTH_MAX {
            return Node::Scalar(scalar);
        }
        Node::Scalar(self.adaptive(Scalar { code: Code::Near, ..scalar }, mean))
    }

    fn adaptive(&mut self, scalar: Scalar, mean: u8) -> Scalar {
        self.means.push(Mean::new(mean));
        let near = near::limit(scalar.width);
        Scalar { mean: self.means.len() as u32 - 1, near, ..scalar }
    }
}

impl Scalar {
    /// `span + 1` values from 0 on, written as they are.
    fn fixed(span: u64) -> Scalar {
        let code = if span == 1 { Code::Flip } else { Code::Fixed };
        let width = 64 - span.leading_zeros();
        Scalar {
            lowest: 0,
            span,
            width,
            around: 0,
            reach: u64::MAX,
            not_finite: 0,
            mean: 0,
            near: 0,
            code,
        }
    }
}
