//! The derives of `tickwire-protocol`, which re-exports them: use them from there.
//!
//! | derive | for | makes the type |
//! |---|---|---|
//! | [`Value`](macro@Value) | structs, enums | a part of entities and messages |
//! | [`Entity`](macro@Entity) | structs | a row of a table; includes `Value` |
//! | [`Message`](macro@Message) | structs, enums | an input, command, reply or event; includes `Value` |
//! | [`World`](macro@World) | structs of tables | all the replicated state of a game |
//!
//! # Attributes of a field
//!
//! `#[net(...)]` says what the type of a field leaves open. It holds for what a
//! container holds as well: `max = 9` of a `Vec<u8>` bounds each element.
//!
//! | key | for | meaning |
//! |---|---|---|
//! | `min = …`, `max = …` | integers | the range; without, that of the type |
//! | `min = …`, `max = …`, `step = …` | floats | sent as a point of this grid; without, bit by bit |
//! | `ring` | floats with a grid | `max` is the same place as `min` |
//! | `angle`, `bits = …` | floats | radians, in `2^bits` parts of a full turn |
//! | `motion` | integers, floats with a grid, angles | moves steadily: chunks may predict it |
//! | `max_bytes = …` | `String`, `Blob` | the longest text; 64 if it is not there |
//! | `max_len = …` | `Vec` | the most elements; must be there |
//!
//! What is outside of a range goes to its edge (or around the ring), a text or
//! a list that is too long is cut. An attribute that does not suit the type of
//! its field does not compile.
//!
//! ```
//! use tickwire_protocol::{Entity, Id, Message, Table, Value, World};
//!
//! #[derive(Value)]
//! struct Pos {
//!     #[net(min = -2048, max = 2048, step = 0.0625, motion)]
//!     x: f32,
//!     #[net(min = -2048, max = 2048, step = 0.0625, motion)]
//!     y: f32,
//! }
//!
//! #[derive(Value)]
//! enum Engine {
//!     Off,
//!     Cruise { #[net(max = 100)] percent: u8 },
//! }
//!
//! #[derive(Entity)]
//! struct Ship {
//!     pos: Pos,
//!     #[net(angle, bits = 8)]
//!     heading: f32,
//!     engine: Engine,
//!     #[net(max_bytes = 16)]
//!     name: String,
//!     #[net(max_len = 4)]
//!     targets: Vec<Id<Ship>>,
//! }
//!
//! #[derive(World)]
//! struct Space {
//!     ships: Table<Ship>,
//! }
//!
//! #[derive(Message)]
//! struct Steer {
//!     #[net(min = -1, max = 1)]
//!     turn: i8,
//!     thrust: bool,
//! }
//! # let _ = Space::default();
//! ```
//!
//! # What the derives know
//!
//! Names, order and attributes; nothing of types. All that depends on a type
//! stands in its implementation of `Value`, to which the generated code passes
//! the attributes as a constant. So a field may have any type that implements
//! the trait, under any name.

/// `quote!` with the names of a macro: a local variable of the generated code
/// neither hides nor meets a name of the user.
macro_rules! code {
    ($($token:tt)*) => {
        ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($token)*)
    };
}

mod attr;
mod entity;
mod enums;
mod field;
mod structs;
mod value;
mod world;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Value`: the type can be a field of entities and messages.
///
/// In an entity, a struct's fields count as fields of the entity itself, each
/// sent when it changes. An enum is sent as a whole; its variants are numbered
/// in their order, the first is its default.
///
/// The type has no parameters, and it does not contain itself, not even in a
/// list. See the [crate's page](crate) for `#[net(...)]`.
///
/// ```compile_fail,E0391
/// #[derive(tickwire_protocol::Value)]
/// struct Branch {
///     #[net(max_len = 2)]
///     branches: Vec<Branch>,
/// }
/// ```
#[proc_macro_derive(Value, attributes(net))]
pub fn derive_value(input: TokenStream) -> TokenStream {
    value::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Implements `Entity`, and `Value` with it: the struct is a row of a table.
///
/// Its name on the wire is the name of the type.
#[proc_macro_derive(Entity, attributes(net))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    entity::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Implements `Message`, and `Value` with it: the type can be sent as a whole,
/// as an input, a command, a reply or an event.
#[proc_macro_derive(Message, attributes(net))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    value::derive_message(&parse_macro_input!(input as DeriveInput)).into()
}

/// Implements `World` for a struct whose fields are all `Table<…>`, and
/// `Default`: every table empty.
///
/// The order of the fields is the order of the tables on the wire.
#[proc_macro_derive(World)]
pub fn derive_world(input: TokenStream) -> TokenStream {
    world::derive(&parse_macro_input!(input as DeriveInput)).into()
}
