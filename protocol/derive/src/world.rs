//! `#[derive(World)]`: a struct of tables.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, GenericArgument, Ident, PathArguments, Type};

/// A field: its name, and the type of the table's entities.
struct Table<'a> {
    ident: &'a Ident,
    entity: &'a Type,
}

/// `World` and `Default`.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    implement(input).unwrap_or_else(Error::into_compile_error)
}

fn implement(input: &DeriveInput) -> Result<TokenStream, Error> {
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            _ => return Err(Error::new_spanned(&input.ident, NOT_A_WORLD)),
        },
        _ => return Err(Error::new_spanned(&input.ident, NOT_A_WORLD)),
    };
    if !input.generics.params.is_empty() {
        let text = "a world is one set of tables: no parameters";
        return Err(Error::new_spanned(&input.generics.params, text));
    }
    let mut tables = Vec::new();
    let mut errors: Option<Error> = None;
    for field in fields {
        match (table(field), &mut errors) {
            (Ok(table), _) => tables.push(table),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), None) => errors = Some(error),
        }
    }
    match errors {
        Some(errors) => Err(errors),
        None => Ok(implementation(&input.ident, &tables)),
    }
}

/// The text for what is not even a struct of fields.
const NOT_A_WORLD: &str = "a world is a struct with named fields, each a `Table<…>`";

fn table(field: &Field) -> Result<Table<'_>, Error> {
    let wrong = || Error::new_spanned(&field.ty, "every field of a world is a `Table<…>`");
    let entity = entity(&field.ty).ok_or_else(wrong)?;
    let ident = field.ident.as_ref().ok_or_else(wrong)?;
    Ok(Table { ident, entity })
}

/// The `T` of `Table<T>`, under whatever path.
fn entity(ty: &Type) -> Option<&Type> {
    match ty {
        // What a macro was given for `$ty:ty`.
        Type::Group(group) => entity(&group.elem),
        Type::Path(path) => {
            let last = path.path.segments.last().filter(|last| last.ident == "Table")?;
            let PathArguments::AngleBracketed(list) = &last.arguments else { return None };
            match (list.args.first(), list.args.len()) {
                (Some(GenericArgument::Type(entity)), 1) => Some(entity),
                _ => None,
            }
        }
        _ => None,
    }
}

fn implementation(name: &Ident, tables: &[Table<'_>]) -> TokenStream {
    let count = tables.len();
    let idents: Vec<&Ident> = tables.iter().map(|table| table.ident).collect();
    let schemas = tables.iter().map(Table::schema);
    let (indices, indices_mut) = (0..count, 0..count);
    let erased = tables.iter().map(|table| table.erased("erase", &code!(&)));
    let erased_mut = tables.iter().map(|table| table.erased("erase_mut", &code!(&mut)));
    code! {
        #[automatically_derived]
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#idents: ::core::default::Default::default()),* }
            }
        }

        #[automatically_derived]
        impl ::tickwire_protocol::table::World for #name {
            const TABLES: ::core::primitive::usize = #count;

            fn schema() -> ::std::vec::Vec<::tickwire_protocol::schema::TableSchema> {
                ::std::vec![#(#schemas),*]
            }

            fn table(
                &self,
                index: ::core::primitive::usize,
            ) -> &dyn ::tickwire_protocol::table::AnyTable {
                match index {
                    #(#indices => #erased,)*
                    _ => ::core::panic!("the index of a table is below `World::TABLES`"),
                }
            }

            fn table_mut(
                &mut self,
                index: ::core::primitive::usize,
            ) -> &mut dyn ::tickwire_protocol::table::AnyTable {
                match index {
                    #(#indices_mut => #erased_mut,)*
                    _ => ::core::panic!("the index of a table is below `World::TABLES`"),
                }
            }
        }
    }
}

impl Table<'_> {
    /// The schema of the table.
    fn schema(&self) -> TokenStream {
        let Table { ident, entity } = self;
        let (name, entity_name) = (ident.unraw().to_string(), self.entity_name());
        let kind = quote_spanned! {
            entity.span()=> <#entity as ::tickwire_protocol::value::Value>::kind
        };
        code! {
            ::tickwire_protocol::schema::TableSchema {
                name: ::std::string::String::from(#name),
                entity: ::std::string::String::from(#entity_name),
                fields: match #kind(&::tickwire_protocol::value::Attr::PLAIN) {
                    ::tickwire_protocol::schema::Kind::Struct(fields) => fields,
                    _ => ::core::panic!("an entity is a struct"),
                },
            }
        }
    }

    /// The table as one of any entities. `erase` is `erase` or `erase_mut`: the
    /// compiler then says of a type that is no entity the same in every place,
    /// and prints it once.
    fn erased(&self, erase: &str, borrow: &TokenStream) -> TokenStream {
        let Table { ident, entity } = self;
        let (at, erase) = (entity.span(), Ident::new(erase, entity.span()));
        let path = quote_spanned!(at=> <#entity as ::tickwire_protocol::table::Entity>::#erase);
        code!(#path(#borrow self.#ident))
    }

    fn entity_name(&self) -> TokenStream {
        let entity = self.entity;
        quote_spanned!(entity.span()=> <#entity as ::tickwire_protocol::table::Entity>::NAME)
    }
}
