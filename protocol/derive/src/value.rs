//! `#[derive(Value)]`, and `#[derive(Message)]`, which adds one line to it.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Error, GenericParam, Generics, Ident};

use crate::field::{Constants, Field};
use crate::{attr, enums, structs};

/// What each function of `Value` does. `None` stands for the trait's default.
pub(crate) struct Bodies {
    pub(crate) kind: TokenStream,
    pub(crate) cells: TokenStream,
    pub(crate) leaves: Option<TokenStream>,
    pub(crate) numbers: Option<TokenStream>,
    pub(crate) store: TokenStream,
    pub(crate) load: TokenStream,
    pub(crate) reload: Option<TokenStream>,
    pub(crate) wipe: TokenStream,
    pub(crate) write: TokenStream,
    pub(crate) read: TokenStream,
}

/// `Value` alone.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    implement(input).unwrap_or_else(Error::into_compile_error)
}

/// `Value` and `Message`.
pub(crate) fn derive_message(input: &DeriveInput) -> TokenStream {
    let name = &input.ident;
    let both = implement(input).map(|value| {
        code! {
            #value
            #[automatically_derived]
            impl ::tickwire_protocol::value::Message for #name {}
        }
    });
    both.unwrap_or_else(Error::into_compile_error)
}

/// The implementation of `Value`. An error stands for a type that cannot have
/// one; what is wrong with single fields comes along with an implementation, so
/// that nobody else complains of the lack of one.
pub(crate) fn implement(input: &DeriveInput) -> Result<TokenStream, Error> {
    let name = &input.ident;
    without_parameters(&input.generics)?;
    let (mut constants, mut errors) = (Constants::default(), Vec::new());
    attr::refuse(&input.attrs, &mut errors);
    let bodies = match &input.data {
        Data::Struct(data) => {
            structs::bodies(&Field::all(&data.fields, name, &mut constants, &mut errors))
        }
        Data::Enum(data) if data.variants.is_empty() => {
            return Err(Error::new_spanned(name, "an enum without variants has no values to send"));
        }
        Data::Enum(data) => enums::bodies(data, name, &mut constants, &mut errors),
        Data::Union(_) => {
            let text = "a union does not say what it holds: use an enum";
            return Err(Error::new_spanned(&input.ident, text));
        }
    };
    let Constants { attrs, checks, accepts, .. } = constants;
    let value = implementation(name, &accepts, &bodies);
    let errors = errors.into_iter().map(Error::into_compile_error);
    Ok(code! {
        const _: () = {
            #(#errors)*
            #attrs
            #checks
            #value
        };
    })
}

fn without_parameters(generics: &Generics) -> Result<(), Error> {
    let what = match generics.params.first() {
        None => return Ok(()),
        Some(GenericParam::Lifetime(_)) => "what is sent and loaded owns its data: no lifetimes",
        Some(_) => "the schema describes one type: no type or constant parameters",
    };
    Err(Error::new_spanned(&generics.params, what))
}

fn implementation(name: &Ident, accepts: &TokenStream, bodies: &Bodies) -> TokenStream {
    let Bodies { kind, cells, store, load, wipe, write, read, .. } = bodies;
    let leaves = bodies.leaves.as_ref().map(|body| {
        code! {
            #[inline]
            fn leaves(_: &::tickwire_protocol::value::Attr) -> ::core::primitive::u32 {
                #body
            }
        }
    });
    let numbers = bodies.numbers.as_ref().map(|body| {
        code! {
            #[inline]
            fn numbers(_: &::tickwire_protocol::value::Attr) -> ::core::primitive::u64 {
                #body
            }
        }
    });
    let reload = bodies.reload.as_ref().map(|body| {
        code! {
            #[inline]
            fn reload(
                &mut self,
                _: &::tickwire_protocol::value::Attr,
                mask: ::core::primitive::u64,
                cells: &[::core::primitive::i64],
                heap: &::tickwire_protocol::heap::Heap,
            ) {
                #body
            }
        }
    });
    code! {
        #[automatically_derived]
        impl ::tickwire_protocol::value::Value for #name {
            const ACCEPTS: ::core::primitive::u32 = {
                #accepts
                0
            };

            fn kind(
                _: &::tickwire_protocol::value::Attr,
            ) -> ::tickwire_protocol::schema::Kind {
                #kind
            }

            #[inline]
            fn cells(_: &::tickwire_protocol::value::Attr) -> ::core::primitive::usize {
                #cells
            }

            #leaves

            #numbers

            #[inline]
            fn store(
                &self,
                attr: &::tickwire_protocol::value::Attr,
                cells: &mut [::core::primitive::i64],
                heap: &mut ::tickwire_protocol::heap::Heap,
            ) {
                #store
            }

            #[inline]
            fn load(
                _: &::tickwire_protocol::value::Attr,
                cells: &[::core::primitive::i64],
                heap: &::tickwire_protocol::heap::Heap,
            ) -> Self {
                #load
            }

            #reload

            fn wipe(
                attr: &::tickwire_protocol::value::Attr,
                cells: &mut [::core::primitive::i64],
                heap: &mut ::tickwire_protocol::heap::Heap,
            ) {
                #wipe
            }

            fn write(
                &self,
                _: &::tickwire_protocol::value::Attr,
                w: &mut ::tickwire_protocol::codec::Writer<'_>,
            ) {
                #write
            }

            fn read(
                _: &::tickwire_protocol::value::Attr,
                r: &mut ::tickwire_protocol::codec::Reader<'_>,
            ) -> ::core::result::Result<Self, ::tickwire_protocol::codec::Error> {
                #read
            }
        }
    }
}
