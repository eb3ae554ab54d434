//! What hostile bytes get from the decoders of both sides: an error or a valid
//! message, never a panic, and memory only for what the bytes really hold.
//!
//! The rows are those of the list of hostile clients; the client's decoder meets
//! a hostile server in the same way. What is valid to start from are the golden
//! vectors. `TICKWIRE_LONG=1` runs the random tests a hundred times longer.

/// The fuzz targets are plain functions: here they run on stable.
#[path = "../fuzz/src/lib.rs"]
pub mod targets;

mod hostile {
    mod damage;
    mod lengths;
    mod measure;
    mod memory;
    mod numbers;
    mod random;
    mod vectors;
}
