//! `#[derive(Entity)]`: a struct's `Value`, and its name.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error};

use crate::value;

/// `Value` and `Entity`.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    implement(input).unwrap_or_else(Error::into_compile_error)
}

fn implement(input: &DeriveInput) -> Result<TokenStream, Error> {
    let ident = &input.ident;
    if let Data::Enum(data) = &input.data {
        let mut place = data.enum_token.to_token_stream();
        ident.to_tokens(&mut place);
        let text = "an entity is a struct; an enum can be one of its fields, with `derive(Value)`";
        return Err(Error::new_spanned(place, text));
    }
    let (value, name) = (value::implement(input)?, ident.unraw().to_string());
    Ok(code! {
        #value
        #[automatically_derived]
        impl ::tickwire_protocol::table::Entity for #ident {
            const NAME: &'static ::core::primitive::str = #name;
        }
    })
}
