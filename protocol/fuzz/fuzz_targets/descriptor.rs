//! What a server may say of its schema.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tickwire_fuzz::descriptor(bytes));
