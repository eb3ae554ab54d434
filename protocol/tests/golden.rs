//! Golden vectors: what the code writes is what the committed files hold, and
//! what the committed bytes hold is what the files say they mean.
//!
//! The files are in `protocol/fixtures`, for decoders in any language; their
//! format is described there. `TICKWIRE_BLESS=1 cargo test -p tickwire-protocol
//! --test golden` writes them anew: a change in them is a change of the protocol.

mod golden {
    pub(crate) mod bad_chunks;
    pub(crate) mod bad_schemas;
    pub(crate) mod codes;
    pub(crate) mod files;
    pub(crate) mod json;
    pub(crate) mod malformed;
    pub(crate) mod messages;
    pub(crate) mod nest;
    pub(crate) mod primitives;
    pub(crate) mod room;
    pub(crate) mod schemas;
    pub(crate) mod shadow;
    pub(crate) mod show;
    pub(crate) mod stories;
    pub(crate) mod story;
    pub(crate) mod values;
    pub(crate) mod wide;
    pub(crate) mod world;

    pub(crate) use files::{File, load};
}

use golden::files::check;
use golden::{codes, malformed, messages, primitives, schemas, stories, values};

#[test]
fn schemas_are_described_and_read() {
    check(&schemas::FILE);
}

#[test]
fn primitives_have_one_encoding() {
    check(&primitives::FILE);
}

#[test]
fn bits_codes_and_grids_are_as_written_down() {
    check(&codes::FILE);
}

#[test]
fn values_of_every_kind_are_written_and_read() {
    check(&values::FILE);
}

#[test]
fn client_messages_are_written_and_read() {
    check(&messages::CLIENT);
}

#[test]
fn server_messages_are_written_and_read() {
    check(&messages::SERVER);
}

#[test]
fn frames_lead_a_mirror_through_whole_stories() {
    check(&stories::FILE);
}

#[test]
fn malformed_bytes_are_refused_for_the_right_reason() {
    check(&malformed::FILE);
}
