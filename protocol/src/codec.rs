//! The only file that names bincode: everything on the wire that is not a
//! bit-packed chunk is bincode 2 `standard()` encoding (little-endian, varint).
//!
//! A value has exactly one encoding: overlong integers are refused, as are
//! booleans other than 0 and 1, text that is not UTF-8, floats that are not
//! finite, and bytes after the end. A float of -0 or a denormal is written as 0,
//! and taken for 0 if somebody else wrote it. Lengths are checked against the caller's
//! limit and against the bytes that are there before anything is allocated.

use bincode::config::{Configuration, Limit};
use bincode::error::DecodeError;

use crate::limits::SERVER_MESSAGE_BYTES_MAX;

/// The encoding, with the limit that bounds a decoder's appetite.
const CONFIG: Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    Limit<SERVER_MESSAGE_BYTES_MAX>,
> = bincode::config::standard().with_limit::<SERVER_MESSAGE_BYTES_MAX>();

/// Why bytes are not a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The bytes end inside a value.
    Truncated,
    /// Bytes are left after the last value.
    Trailing,
    /// An integer is written in more bytes than it needs, or does not fit its type.
    BadInteger,
    /// A boolean or the flag of an option is neither 0 nor 1.
    BadBool,
    /// A variant, message or kind that does not exist.
    BadTag,
    /// A length is over its limit.
    TooLong,
    /// Text is not UTF-8.
    NotUtf8,
    /// A float is NaN or infinite.
    NotFinite,
    /// The value is well-formed and not allowed here.
    Invalid,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Error::Truncated => "the message ends inside a value",
            Error::Trailing => "the message goes on after its last value",
            Error::BadInteger => "an integer is overlong or does not fit its type",
            Error::BadBool => "a flag is neither 0 nor 1",
            Error::BadTag => "there is no such variant",
            Error::TooLong => "a length is over its limit",
            Error::NotUtf8 => "a text is not UTF-8",
            Error::NotFinite => "a float is not finite",
            Error::Invalid => "a value is not allowed here",
        })
    }
}

impl core::error::Error for Error {}

/// Appends values to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl bincode::enc::write::Writer for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl<'a> Writer<'a> {
    /// Writes to the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    #[inline]
    fn value<T: bincode::Encode>(&mut self, value: T) {
        bincode::encode_into_writer(value, Writer { out: self.out }, CONFIG)
            .expect("writing to a Vec does not fail");
    }

    /// Writes bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes a length and the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.usize(bytes.len());
        self.raw(bytes);
    }

    /// Writes a text as its bytes.
    pub fn str(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes a length.
    pub fn usize(&mut self, value: usize) {
        self.u64(value as u64);
    }
}

/// Takes values from a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Errs unless everything was read.
    pub fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::Trailing) }
    }

    /// A value, and how many bytes it took.
    #[inline]
    fn value<T: bincode::Decode<()>>(&mut self) -> Result<(T, usize), Error> {
        let (value, used) =
            bincode::decode_from_slice(self.rest, CONFIG).map_err(|error| match error {
                DecodeError::UnexpectedEnd { .. } => Error::Truncated,
                DecodeError::LimitExceeded => Error::TooLong,
                DecodeError::InvalidBooleanValue(_) => Error::BadBool,
                _ => Error::BadInteger,
            })?;
        self.rest = self.rest.get(used..).ok_or(Error::Truncated)?;
        Ok((value, used))
    }

    /// The next `count` bytes.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length up to `max`, and that many bytes.
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8], Error> {
        let count = self.count(max)?;
        self.raw(count)
    }

    /// A text of up to `max` bytes.
    pub fn str(&mut self, max: usize) -> Result<&'a str, Error> {
        core::str::from_utf8(self.bytes(max)?).map_err(|_| Error::NotUtf8)
    }

    /// A length of at most `max`.
    pub fn count(&mut self, max: usize) -> Result<usize, Error> {
        let count = self.u64()?;
        usize::try_from(count).ok().filter(|&n| n <= max).ok_or(Error::TooLong)
    }
}

/// Bytes that bincode's varint takes for `value`.
const fn varint_len(value: u64) -> usize {
    match value {
        0..=250 => 1,
        251..=0xFFFF => 3,
        0x1_0000..=0xFFFF_FFFF => 5,
        _ => 9,
    }
}

/// A signed integer as the unsigned one that bincode writes for it.
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The signed integer that is written so.
const fn unzigzag(value: u16) -> i16 {
    (value >> 1) as i16 ^ -((value & 1) as i16)
}

/// The forms of nearly all integers, without bincode: both are also its own.
impl Writer<'_> {
    /// Writes a value if it takes one byte or three.
    #[inline]
    fn short(&mut self, value: u64) -> bool {
        match value {
            0..=250 => self.out.push(value as u8),
            251..=0xFFFF => self.out.extend_from_slice(&[251, value as u8, (value >> 8) as u8]),
            _ => return false,
        }
        true
    }
}

impl Reader<'_> {
    /// A value that is in neither.
    #[cold]
    #[inline(never)]
    fn long<T: bincode::Decode<()>>(&mut self) -> Result<(T, usize), Error> {
        self.value()
    }

    /// A value that is in one byte, or needs to be in three.
    #[inline]
    fn short(&mut self) -> Option<u16> {
        let (value, rest) = match self.rest {
            [value @ 0..=250, rest @ ..] => (u16::from(*value), rest),
            [251, low, high, rest @ ..] if *high > 0 || *low > 250 => {
                (u16::from_le_bytes([*low, *high]), rest)
            }
            _ => return None,
        };
        self.rest = rest;
        Some(value)
    }
}

/// Types that take one fixed form: no shorter or longer way to write them.
macro_rules! fixed {
    ($($ty:ident)*) => {
        impl Writer<'_> {
            $(#[doc = concat!("Writes a `", stringify!($ty), "`.")]
            #[inline]
            pub fn $ty(&mut self, value: $ty) { self.value(value); })*
        }
        impl Reader<'_> {
            $(#[doc = concat!("Takes a `", stringify!($ty), "`.")]
            #[inline]
            pub fn $ty(&mut self) -> Result<$ty, Error> { Ok(self.value()?.0) })*
        }
    };
}
fixed!(bool u8 i8);

macro_rules! varint {
    ($($ty:ident $plain:expr, $short:expr;)*) => {
        impl Writer<'_> {
            $(#[doc = concat!("Writes a `", stringify!($ty), "`.")]
            #[inline]
            pub fn $ty(&mut self, value: $ty) {
                if !self.short($plain(value)) {
                    self.value(value);
                }
            })*
        }
        impl Reader<'_> {
            $(#[doc = concat!("Takes a `", stringify!($ty), "`.")]
            #[inline]
            pub fn $ty(&mut self) -> Result<$ty, Error> {
                if let Some(short) = self.short() {
                    return Ok($short(short));
                }
                let (value, used) = self.long::<$ty>()?;
                if used == varint_len($plain(value)) { Ok(value) } else { Err(Error::BadInteger) }
            })*
        }
    };
}
varint! {
    u16 u64::from, u16::from;
    u32 u64::from, u32::from;
    u64 u64::from, u64::from;
    i16 |v| zigzag(i64::from(v)), unzigzag;
    i32 |v| zigzag(i64::from(v)), |v| i32::from(unzigzag(v));
    i64 zigzag, |v| i64::from(unzigzag(v));
}

macro_rules! float {
    ($($ty:ident)*) => {
        impl Writer<'_> {
            $(#[doc = concat!("Writes a `", stringify!($ty), "`; what is not finite, -0 and denormals become 0.")]
            #[inline]
            pub fn $ty(&mut self, value: $ty) {
                self.value(if value.is_normal() { value } else { 0.0 });
            })*
        }
        impl Reader<'_> {
            $(#[doc = concat!("Takes a finite `", stringify!($ty), "`; -0 and denormals become 0.")]
            #[inline]
            pub fn $ty(&mut self) -> Result<$ty, Error> {
                let value = self.value::<$ty>()?.0;
                if value.is_normal() { Ok(value) }
                else if value.is_finite() { Ok(0.0) }
                else { Err(Error::NotFinite) }
            })*
        }
    };
}
float!(f32 f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_encoding() {
        for value in [0, 250, 251, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, u64::MAX] {
            let mut out = Vec::new();
            Writer::new(&mut out).u64(value);
            assert_eq!(out.len(), varint_len(value));
            assert_eq!(Reader::new(&out).u64(), Ok(value));
        }
        assert_eq!(Reader::new(&[251, 7, 0]).u64(), Err(Error::BadInteger));
        assert_eq!(Reader::new(&[252, 7, 0, 0, 0]).u32(), Err(Error::BadInteger));
        assert_eq!(Reader::new(&[253, 7, 0, 0, 0, 0, 0, 0, 0]).u16(), Err(Error::BadInteger));
        assert_eq!(Reader::new(&[255]).u64(), Err(Error::BadInteger));
    }

    #[test]
    fn lengths_are_checked_before_anything_else() {
        let huge = [253, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(Reader::new(&huge).bytes(64), Err(Error::TooLong));
        assert_eq!(Reader::new(&[5, 1, 2]).bytes(64), Err(Error::Truncated));
        assert_eq!(Reader::new(&[2, 0xC3, 0x28]).str(64), Err(Error::NotUtf8));
    }

    #[test]
    fn flags_and_floats_are_strict() {
        assert_eq!(Reader::new(&[2]).bool(), Err(Error::BadBool));
        assert_eq!(Reader::new(&f32::NAN.to_le_bytes()).f32(), Err(Error::NotFinite));
        assert_eq!(Reader::new(&f64::INFINITY.to_le_bytes()).f64(), Err(Error::NotFinite));
        assert_eq!(Reader::new(&1e-40f32.to_le_bytes()).f32(), Ok(0.0));
        let zero = Reader::new(&(-0.0f64).to_le_bytes()).f64();
        assert!(zero.is_ok_and(f64::is_sign_positive));
        let mut out = Vec::new();
        Writer::new(&mut out).f64(-0.0);
        assert_eq!(out, [0; 8]);
    }
}
