//! What a mirror tells of rows that a frame removes, from bytes.

use std::sync::Arc;

use tickwire_protocol::client::mirror::{Gone, Mirror, What};
use tickwire_protocol::message::ServerMessage;
use tickwire_protocol::schema::{Kind, Schema, TableSchema};

/// Full frames of ticks 1 and 2. Slot 0 of a table without fields has generation 1
/// in the first, and 2 in the second, which knows nothing of the one before.
const FIRST: [u8; 8] = [0x00, 0x01, 0x01, 0x01, 0x01, 0x02, 0x33, 0x16];
const SECOND: [u8; 8] = [0x00, 0x01, 0x02, 0x01, 0x01, 0x02, 0x33, 0x1e];

fn told(mirror: &mut Mirror, bytes: &[u8]) -> Vec<(u32, What)> {
    let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(bytes) else { panic!("a frame") };
    let changes = mirror.apply(&frame).expect("a good frame");
    changes.rows.iter().map(|change| (change.generation, change.what)).collect()
}

#[test]
fn an_entity_whose_slot_has_another_has_despawned_also_where_no_despawn_said_so() {
    let marks = TableSchema { name: "marks".into(), entity: "Mark".into(), fields: Vec::new() };
    let nothing = Kind::default;
    let schema = Schema::new(vec![marks], nothing(), nothing(), nothing(), nothing());
    let mut mirror = Mirror::new(Arc::new(schema.expect("within the limits")));
    assert_eq!(told(&mut mirror, &FIRST), [(1, What::Added)]);
    let expected = [(1, What::Removed(Gone::Despawned)), (2, What::Added)];
    assert_eq!(told(&mut mirror, &SECOND), expected);
}
