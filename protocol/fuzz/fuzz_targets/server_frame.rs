//! What a server may send to a client.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tickwire_fuzz::server_frame(bytes));
