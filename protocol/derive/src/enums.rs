//! `Value` for an enum: a tag, then the cells of the largest variant.
//!
//! ```text
//! | tag | fields of the variant | zero … |
//! ```
//!
//! The tag is the variant's place in the enum, not its discriminant.

use proc_macro2::{Literal, TokenStream};
use syn::ext::IdentExt;
use syn::{DataEnum, Error, Ident};

use crate::attr;
use crate::field::{Constants, Field, schemas, sum, walk};
use crate::value::Bodies;

/// One of the alternatives.
struct Variant {
    ident: Ident,
    /// Its place in the enum.
    tag: Literal,
    fields: Vec<Field>,
}

impl Variant {
    /// The pattern that binds each field to its variable.
    fn pattern(&self) -> TokenStream {
        let ident = &self.ident;
        let members =
            self.fields.iter().map(|Field { member, variable, .. }| code!(#member: #variable));
        code!(Self::#ident { #(#members),* })
    }
}

/// What the functions of `Value` do for an enum.
pub(crate) fn bodies(
    data: &DataEnum,
    owner: &Ident,
    constants: &mut Constants,
    errors: &mut Vec<Error>,
) -> Bodies {
    let variants = data.variants.iter().enumerate().map(|(tag, variant)| {
        attr::refuse(&variant.attrs, errors);
        let fields = Field::all(&variant.fields, owner, constants, errors);
        Variant { ident: variant.ident.clone(), tag: Literal::usize_unsuffixed(tag), fields }
    });
    let variants: Vec<Variant> = variants.collect();
    Bodies {
        kind: kind(&variants),
        cells: cells(&variants),
        leaves: None,
        numbers: None,
        store: store(&variants),
        load: load(&variants),
        reload: None,
        wipe: wipe(&variants),
        write: write(&variants),
        read: read(&variants),
    }
}

fn kind(variants: &[Variant]) -> TokenStream {
    let variants = variants.iter().map(|Variant { ident, fields, .. }| {
        let (name, fields) = (ident.unraw().to_string(), schemas(fields));
        code! {
            ::tickwire_protocol::schema::Variant {
                name: ::std::string::String::from(#name),
                fields: #fields,
            }
        }
    });
    code!(::tickwire_protocol::schema::Kind::Enum(::std::vec![#(#variants),*]))
}

fn cells(variants: &[Variant]) -> TokenStream {
    let payloads = variants
        .iter()
        .filter(|variant| !variant.fields.is_empty())
        .map(|variant| sum(variant.fields.iter().map(Field::cells)));
    code! {
        let most: ::core::primitive::usize = 0;
        #(let most = ::core::cmp::Ord::max(most, #payloads);)*
        1 + most
    }
}

/// The cells of another variant are wiped by their own tag, because only it
/// tells which of them hold texts.
fn store(variants: &[Variant]) -> TokenStream {
    let tags = variants.iter().map(|Variant { ident, tag, .. }| code!(Self::#ident { .. } => #tag));
    let stores = variants.iter().map(|variant| {
        let pattern = variant.pattern();
        let stores = walk(&variant.fields, code!(split_at_mut), |field| {
            let Field { variable, attr, .. } = field;
            let store = field.value("store");
            code!(#store(#variable, #attr, place, heap);)
        });
        code!(#pattern => { #stores })
    });
    code! {
        let tag: ::core::primitive::i64 = match self { #(#tags),* };
        if cells[0] != tag {
            <Self as ::tickwire_protocol::value::Value>::wipe(attr, cells, heap);
            cells[0] = tag;
        }
        let (_, cells) = cells.split_at_mut(1);
        match self { #(#stores)* }
    }
}

/// Decoders let no other tags into the cells than those there are.
fn load(variants: &[Variant]) -> TokenStream {
    let mut arms = variants.iter().enumerate().map(|(index, variant)| {
        let Variant { ident, tag, fields } = variant;
        let loads = walk(fields, code!(split_at), |field| {
            let Field { variable, attr, .. } = field;
            let load = field.value("load");
            code!(let #variable = #load(#attr, place, heap);)
        });
        let members = fields.iter().map(|Field { member, variable, .. }| code!(#member: #variable));
        let tag = if index == 0 { code!(_) } else { code!(#tag) };
        code! {
            #tag => {
                #loads
                Self::#ident { #(#members),* }
            }
        }
    });
    let first = arms.next();
    code! {
        let (tag, cells) = cells.split_at(1);
        match tag[0] { #(#arms)* #first }
    }
}

fn wipe(variants: &[Variant]) -> TokenStream {
    let arms = variants.iter().filter(|variant| !variant.fields.is_empty()).map(|variant| {
        let tag = &variant.tag;
        let wipes = walk(&variant.fields, code!(split_at_mut), |field| {
            let (wipe, attr) = (field.value("wipe"), &field.attr);
            code!(#wipe(#attr, place, heap);)
        });
        code!(#tag => { #wipes })
    });
    code! {
        let size = <Self as ::tickwire_protocol::value::Value>::cells(attr);
        let (cells, _) = cells.split_at_mut(size);
        {
            let (tag, cells) = cells.split_at_mut(1);
            match tag[0] {
                #(#arms)*
                _ => {}
            }
        }
        cells.fill(0);
    }
}

fn write(variants: &[Variant]) -> TokenStream {
    let arms = variants.iter().map(|variant| {
        let (pattern, tag) = (variant.pattern(), &variant.tag);
        let writes = variant.fields.iter().map(|field| {
            let Field { variable, attr, .. } = field;
            let write = field.value("write");
            code!(#write(#variable, #attr, w);)
        });
        code! {
            #pattern => {
                w.u32(#tag);
                #(#writes)*
            }
        }
    });
    code!(match self { #(#arms)* })
}

fn read(variants: &[Variant]) -> TokenStream {
    let arms = variants.iter().map(|Variant { ident, tag, fields }| {
        let members = fields.iter().map(|field| {
            let Field { member, attr, .. } = field;
            let read = field.value("read");
            code!(#member: #read(#attr, r)?)
        });
        code!(#tag => ::core::result::Result::Ok(Self::#ident { #(#members),* }))
    });
    code! {
        match r.u32()? {
            #(#arms,)*
            _ => ::core::result::Result::Err(::tickwire_protocol::codec::Error::BadTag),
        }
    }
}
