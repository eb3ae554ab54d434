//! `Value` for a struct: its fields side by side, in every respect.

use proc_macro2::TokenStream;

use crate::field::{Field, schemas, sum, walk};
use crate::value::Bodies;

/// What the functions of `Value` do for a struct.
pub(crate) fn bodies(fields: &[Field]) -> Bodies {
    let schemas = schemas(fields);
    Bodies {
        kind: code!(::tickwire_protocol::schema::Kind::Struct(#schemas)),
        cells: sum(fields.iter().map(Field::cells)),
        leaves: Some(sum(fields.iter().map(Field::leaves))),
        numbers: Some(numbers(fields)),
        store: store(fields),
        load: load(fields),
        reload: Some(reload(fields)),
        wipe: wipe(fields),
        write: write(fields),
        read: read(fields),
    }
}

/// The masks of the fields, one above the other.
fn numbers(fields: &[Field]) -> TokenStream {
    let steps = fields.iter().map(|field| {
        let (leaves, numbers, attr) = (field.leaves(), field.value("numbers"), &field.attr);
        // A shift by 64 leaves nothing, but Rust does not say so.
        code! {
            let mask = mask | #numbers(#attr).checked_shl(at).unwrap_or(0);
            let at: ::core::primitive::u32 = at + #leaves;
        }
    });
    code! {
        let (mask, at) = (0, 0);
        #(#steps)*
        let _ = at;
        mask
    }
}

fn store(fields: &[Field]) -> TokenStream {
    walk(fields, code!(split_at_mut), |field| {
        let Field { member, attr, .. } = field;
        let store = field.value("store");
        code!(#store(&self.#member, #attr, place, heap);)
    })
}

fn load(fields: &[Field]) -> TokenStream {
    let loads = walk(fields, code!(split_at), |field| {
        let Field { variable, attr, .. } = field;
        let load = field.value("load");
        code!(let #variable = #load(#attr, place, heap);)
    });
    let members = fields.iter().map(|Field { member, variable, .. }| code!(#member: #variable));
    code! {
        #loads
        Self { #(#members),* }
    }
}

/// `mask` loses the leaves of each field in turn. The counts are constants, so
/// that one test of the mask remains for each leaf.
fn reload(fields: &[Field]) -> TokenStream {
    walk(fields, code!(split_at), |field| {
        let Field { member, attr, .. } = field;
        let (leaves, reload) = (field.leaves(), field.value("reload"));
        // A shift by 64 leaves nothing, but Rust does not say so.
        code! {
            let leaves = #leaves;
            let all = ::core::primitive::u64::MAX;
            let own = mask & all.checked_shr(64u32.saturating_sub(leaves)).unwrap_or(0);
            let mask = mask.checked_shr(leaves).unwrap_or(0);
            if own != 0 {
                #reload(&mut self.#member, #attr, own, place, heap);
            }
        }
    })
}

fn wipe(fields: &[Field]) -> TokenStream {
    walk(fields, code!(split_at_mut), |field| {
        let (wipe, attr) = (field.value("wipe"), &field.attr);
        code!(#wipe(#attr, place, heap);)
    })
}

fn write(fields: &[Field]) -> TokenStream {
    let writes = fields.iter().map(|field| {
        let Field { member, attr, .. } = field;
        let write = field.value("write");
        code!(#write(&self.#member, #attr, w);)
    });
    code!(#(#writes)*)
}

fn read(fields: &[Field]) -> TokenStream {
    let members = fields.iter().map(|field| {
        let Field { member, attr, .. } = field;
        let read = field.value("read");
        code!(#member: #read(#attr, r)?)
    });
    code!(::core::result::Result::Ok(Self { #(#members),* }))
}
