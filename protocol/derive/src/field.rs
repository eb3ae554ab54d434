//! A field, and the calls that the generated code makes for it.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Fields, Ident, Member};

use crate::attr::Net;

/// A field of a struct or of a variant.
pub(crate) struct Field {
    /// Its name on the wire.
    pub(crate) name: String,
    /// Its name in Rust.
    pub(crate) member: Member,
    /// A variable that holds it, or a reference to it.
    pub(crate) variable: Ident,
    /// A reference to its constant `Attr`.
    pub(crate) attr: TokenStream,
    ty: TokenStream,
    /// Where its type stands: every call is reported there. The compiler shows
    /// errors of the same text and place once.
    at: Span,
}

/// The constants that the fields of a type need, beside its `impl`.
#[derive(Default)]
pub(crate) struct Constants {
    /// What `#[net(...)]` says, field by field.
    pub(crate) attrs: TokenStream,
    /// The proofs that it suits the types.
    pub(crate) checks: TokenStream,
    /// Statements that name each field's `ACCEPTS`, so that the compiler meets a
    /// type that contains itself.
    pub(crate) accepts: TokenStream,
    /// Fields so far.
    count: usize,
}

impl Constants {
    /// A reference to the constant of a field. It is checked against the type
    /// if it is `whole`; otherwise parts of it were reported and left out.
    fn add(&mut self, net: &Net, whole: bool, ty: &TokenStream, at: Span) -> TokenStream {
        let attr = if net.is_plain() {
            quote_spanned!(at=> ::tickwire_protocol::value::Attr::PLAIN)
        } else {
            let name = format_ident!("__TICKWIRE_ATTR_{}", self.count, span = at);
            self.attrs.extend(code!(const #name: ::tickwire_protocol::value::Attr = #net;));
            name.into_token_stream()
        };
        self.count += 1;
        let accepts = quote_spanned!(at=> <#ty as ::tickwire_protocol::value::Value>::ACCEPTS);
        self.accepts.extend(quote_spanned!(at=> let _ = #accepts;));
        if whole {
            // The call goes from the first token of the type to its last, so
            // that all of it is underlined.
            let mut arguments = Group::new(Delimiter::Parenthesis, accepts);
            arguments.set_span(ty.clone().into_iter().last().map_or(at, |token| token.span()));
            self.checks.extend(quote_spanned!(at=> const _: () = #attr.check #arguments;));
        }
        quote_spanned!(at=> &#attr)
    }
}

impl Field {
    /// The fields of a type called `owner`, in their order.
    pub(crate) fn all(
        fields: &Fields,
        owner: &Ident,
        constants: &mut Constants,
        errors: &mut Vec<Error>,
    ) -> Vec<Field> {
        let each = fields.iter().zip(fields.members()).enumerate();
        each.map(|(index, (field, member))| {
            let name = match &member {
                Member::Named(ident) => ident.unraw().to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            let (ty, at) = (without_self(field.ty.to_token_stream(), owner), field.ty.span());
            let before = errors.len();
            let net = Net::of(&field.attrs, errors);
            let attr = constants.add(&net, errors.len() == before, &ty, at);
            let variable = format_ident!("field_{index}", span = Span::mixed_site());
            Field { name, member, variable, attr, ty, at }
        })
        .collect()
    }

    /// The path of an item of the type's `Value`.
    pub(crate) fn value(&self, item: &str) -> TokenStream {
        let (ty, item) = (&self.ty, Ident::new(item, self.at));
        quote_spanned!(self.at=> <#ty as ::tickwire_protocol::value::Value>::#item)
    }

    /// How many cells it takes.
    pub(crate) fn cells(&self) -> TokenStream {
        let (cells, attr) = (self.value("cells"), &self.attr);
        code!(#cells(#attr))
    }

    /// How many leaves it has.
    pub(crate) fn leaves(&self) -> TokenStream {
        let (leaves, attr) = (self.value("leaves"), &self.attr);
        code!(#leaves(#attr))
    }
}

/// The schemas of fields: a `Vec<Field>`.
pub(crate) fn schemas(fields: &[Field]) -> TokenStream {
    let schemas = fields.iter().map(|field| {
        let (name, kind, attr) = (&field.name, field.value("kind"), &field.attr);
        code! {
            ::tickwire_protocol::schema::Field {
                name: ::std::string::String::from(#name),
                kind: #kind(#attr),
            }
        }
    });
    code!(::std::vec![#(#schemas),*])
}

/// The sum of a number that each field has.
pub(crate) fn sum(numbers: impl Iterator<Item = TokenStream>) -> TokenStream {
    code!(0 #(+ #numbers)*)
}

/// Statements that cut each field's `place` off the front of `cells` with
/// `split`, and do something with it.
///
/// The first cut proves to the compiler that there are enough cells for all.
pub(crate) fn walk(
    fields: &[Field],
    split: TokenStream,
    each: impl Fn(&Field) -> TokenStream,
) -> TokenStream {
    let total = sum(fields.iter().map(Field::cells));
    let steps = fields.iter().map(|field| {
        let (size, step) = (field.cells(), each(field));
        code! {
            let (place, cells) = cells.#split(#size);
            #step
        }
    });
    code! {
        let (cells, _) = cells.#split(#total);
        #(#steps)*
    }
}

/// The type with `Self` by its name, so that it can stand outside of the `impl`.
fn without_self(tokens: TokenStream, owner: &Ident) -> TokenStream {
    let each = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => {
            let mut name = owner.clone();
            name.set_span(ident.span());
            TokenTree::Ident(name)
        }
        TokenTree::Group(group) => {
            let inner = without_self(group.stream(), owner);
            let mut replaced = Group::new(group.delimiter(), inner);
            replaced.set_span(group.span());
            TokenTree::Group(replaced)
        }
        other => other,
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn names_on_the_wire_are_those_of_the_source() {
        let fields: syn::FieldsNamed = parse_quote!({ r#type: u8, hp: u8 });
        let mut errors = Vec::new();
        let owner = parse_quote!(Thing);
        let mut constants = Constants::default();
        let fields = Field::all(&Fields::Named(fields), &owner, &mut constants, &mut errors);
        assert_eq!(fields.iter().map(|f| &*f.name).collect::<Vec<_>>(), ["type", "hp"]);
        let fields: syn::FieldsUnnamed = parse_quote!((u8, u8));
        let fields = Field::all(&Fields::Unnamed(fields), &owner, &mut constants, &mut errors);
        assert_eq!(fields.iter().map(|f| &*f.name).collect::<Vec<_>>(), ["0", "1"]);
    }

    #[test]
    fn self_is_named_wherever_it_stands() {
        let ty: TokenStream = parse_quote!(Option<[Id<Self>; { Self::N }]>);
        let expected: TokenStream = parse_quote!(Option<[Id<Thing>; { Thing::N }]>);
        assert_eq!(without_self(ty, &parse_quote!(Thing)).to_string(), expected.to_string());
    }
}
