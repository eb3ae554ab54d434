//! `#[net(...)]`: from its tokens to the tokens of a constant `Attr`.
//!
//! Knows the keys and the form of their values. Which keys suit a type is the
//! type's matter: `Attr::check`, which the compiler runs on the constant.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, Lit, Token};

/// The keys, as an error lists them.
const KEYS: &str = "min, max, step, ring, angle, bits, motion, max_bytes, max_len";

/// What `#[net(...)]` says of a field.
#[derive(Default)]
pub(crate) struct Net {
    min: Option<Bound>,
    max: Option<Bound>,
    step: Option<f64>,
    ring: bool,
    angle: bool,
    /// 0 where it is not said, as with the other two numbers.
    bits: u8,
    motion: bool,
    max_bytes: u32,
    max_len: u32,
    /// The keys met so far.
    keys: Vec<Ident>,
}

/// A number as it was written: for an integer, `5.0` is not `5`.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Bound {
    Int(i128),
    Float(f64),
}

impl Net {
    /// Reads the `#[net(...)]` among the attributes of a field. What is wrong
    /// is left out and reported.
    pub(crate) fn of(attrs: &[Attribute], errors: &mut Vec<Error>) -> Net {
        let mut net = Net::default();
        for attr in net_among(attrs) {
            match attr.parse_args_with(Punctuated::<Entry, Token![,]>::parse_terminated) {
                Ok(entries) => {
                    errors.extend(entries.into_iter().filter_map(|entry| net.take(entry).err()));
                }
                Err(error) => errors.push(error),
            }
        }
        errors.extend(net.range().err());
        net
    }

    /// Whether it says nothing.
    pub(crate) fn is_plain(&self) -> bool {
        self.keys.is_empty()
    }

    fn take(&mut self, entry: Entry) -> Result<(), Error> {
        let Entry { key, value } = entry;
        if self.keys.contains(&key) {
            return Err(Error::new(key.span(), format!("`{key}` is there twice")));
        }
        let value = Given { key: &key, value };
        match key.to_string().as_str() {
            "min" => self.min = Some(value.bound()?),
            "max" => self.max = Some(value.bound()?),
            "step" => self.step = Some(value.step()?),
            "ring" => self.ring = value.flag()?,
            "angle" => self.angle = value.flag()?,
            "bits" => self.bits = u8::try_from(value.count()?).unwrap_or(u8::MAX),
            "motion" => self.motion = value.flag()?,
            "max_bytes" => self.max_bytes = value.count()?,
            "max_len" => self.max_len = value.count()?,
            _ => {
                let text = format!("there is no `{key}` in `#[net(...)]`, only {KEYS}");
                return Err(Error::new(key.span(), text));
            }
        }
        self.keys.push(key);
        Ok(())
    }

    fn range(&self) -> Result<(), Error> {
        let sane = match (self.min, self.max) {
            (Some(Bound::Int(min)), Some(Bound::Int(max))) => min < max,
            (Some(min), Some(max)) => min.float() < max.float(),
            _ => true,
        };
        match self.keys.iter().find(|key| *key == "max") {
            Some(max) if !sane => Err(Error::new(max.span(), "`max` must be above `min`")),
            _ => Ok(()),
        }
    }
}

impl Bound {
    fn float(self) -> f64 {
        match self {
            Bound::Int(value) => value as f64,
            Bound::Float(value) => value,
        }
    }
}

/// Reports `#[net(...)]` where it has no meaning.
pub(crate) fn refuse(attrs: &[Attribute], errors: &mut Vec<Error>) {
    errors.extend(net_among(attrs).map(|attr| {
        Error::new_spanned(&attr.meta, "`#[net(...)]` belongs to a field, not to a whole type")
    }));
}

fn net_among(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("net"))
}

/// `key` or `key = value`.
struct Entry {
    key: Ident,
    value: Option<Lit>,
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> Result<Entry, Error> {
        let key = input.call(Ident::parse_any)?;
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Entry { key, value: None });
        }
        if !input.peek(Token![=]) {
            return Err(input.error(format!("expected `,` or `=` after `{key}`")));
        }
        input.parse::<Token![=]>()?;
        let from = input.span();
        let value = input.parse().ok().filter(|_| input.is_empty() || input.peek(Token![,]));
        // A constant has a type and a value that the derive cannot see.
        let text = "only a plain literal can stand here, not a constant or a calculation";
        Ok(Entry { key, value: Some(value.ok_or_else(|| Error::new(from, text))?) })
    }
}

/// What was given for a key.
struct Given<'a> {
    key: &'a Ident,
    value: Option<Lit>,
}

impl Given<'_> {
    fn flag(self) -> Result<bool, Error> {
        match self.value {
            None => Ok(true),
            Some(value) => Err(Error::new(value.span(), format!("`{}` has no value", self.key))),
        }
    }

    fn bound(self) -> Result<Bound, Error> {
        let key = self.key;
        let wrong = |span| Error::new(span, format!("`{key}` needs a number, such as -5 or 0.5"));
        let parsed = match &self.value {
            None => return Err(wrong(key.span())),
            Some(Lit::Int(int)) if int.suffix().is_empty() => {
                int.base10_parse().map(Bound::Int).ok()
            }
            Some(Lit::Float(float)) if float.suffix().is_empty() => {
                float.base10_parse().ok().filter(|value: &f64| value.is_finite()).map(Bound::Float)
            }
            Some(_) => None,
        };
        parsed.ok_or_else(|| wrong(self.span()))
    }

    fn step(self) -> Result<f64, Error> {
        let span = self.span();
        let step = self.bound()?.float();
        if step > 0.0 { Ok(step) } else { Err(Error::new(span, "`step` must be above 0")) }
    }

    /// A whole number above 0. What no type can hold becomes the largest that
    /// one can: the check of the attribute knows the limits.
    fn count(self) -> Result<u32, Error> {
        let parsed = match &self.value {
            Some(Lit::Int(int)) if int.suffix().is_empty() => int.base10_parse::<u128>().ok(),
            _ => None,
        };
        match parsed {
            None | Some(0) => {
                let text = format!("`{}` needs a whole number above 0", self.key);
                Err(Error::new(self.span(), text))
            }
            Some(count) => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
        }
    }

    /// Where to report what is wrong with the value.
    fn span(&self) -> Span {
        self.value.as_ref().map_or(self.key.span(), Lit::span)
    }
}

impl ToTokens for Net {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Net { step, ring, angle, bits, motion, max_bytes, max_len, .. } = self;
        let (min, max, step) = (option(&self.min), option(&self.max), option(step));
        tokens.extend(code! {
            ::tickwire_protocol::value::Attr {
                min: #min,
                max: #max,
                step: #step,
                ring: #ring,
                angle: #angle,
                bits: #bits,
                motion: #motion,
                max_bytes: #max_bytes,
                max_len: #max_len,
            }
        });
    }
}

impl ToTokens for Bound {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Bound::Int(value) => code!(::tickwire_protocol::value::Bound::Int(#value)),
            Bound::Float(value) => code!(::tickwire_protocol::value::Bound::Float(#value)),
        });
    }
}

fn option(value: &Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => code!(::core::option::Option::Some(#value)),
        None => code!(::core::option::Option::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn parse(attr: Attribute) -> (Net, Vec<String>) {
        let mut errors = Vec::new();
        let net = Net::of(&[attr], &mut errors);
        (net, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn numbers_keep_the_form_they_are_written_in() {
        let (net, errors) = parse(parse_quote!(#[net(min = -5, max = 0x10, step = 1)]));
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((net.min, net.max), (Some(Bound::Int(-5)), Some(Bound::Int(16))));
        assert_eq!(net.step, Some(1.0));
        let (net, _) = parse(parse_quote!(#[net(min = -5.0, max = 1e3, ring, bits = 300,)]));
        assert_eq!((net.min, net.max), (Some(Bound::Float(-5.0)), Some(Bound::Float(1000.0))));
        assert_eq!((net.ring, net.angle, net.bits), (true, false, 255));
    }

    #[test]
    fn every_wrong_entry_is_reported_and_the_others_hold() {
        let (net, errors) = parse(parse_quote! {
            #[net(min = 1, min = 2, speed = 3, ring = true, max_len = 0, bits, max_bytes = 7)]
        });
        assert_eq!(errors.len(), 5, "{errors:?}");
        assert!(errors[0].contains("`min` is there twice"));
        assert!(errors[1].contains("no `speed`") && errors[1].contains(KEYS));
        assert!(errors[2].contains("`ring` has no value"));
        assert!(errors[3].contains("`max_len` needs a whole number above 0"));
        assert!(errors[4].contains("`bits` needs a whole number above 0"));
        assert_eq!((net.min, net.max_bytes), (Some(Bound::Int(1)), 7));
    }

    #[test]
    fn a_range_goes_up() {
        for attr in
            [parse_quote!(#[net(min = 1, max = 1)]), parse_quote!(#[net(max = -1.5, min = -1)])]
        {
            assert_eq!(parse(attr).1, ["`max` must be above `min`"]);
        }
        assert!(parse(parse_quote!(#[net(min = -1.5, max = -1)])).1.is_empty());
    }

    #[test]
    fn only_literals_of_a_sensible_size_are_values() {
        let one = |attr| parse(attr).1.pop().unwrap_or_default();
        assert!(one(parse_quote!(#[net(min = LOWEST)])).contains("a plain literal"));
        assert!(one(parse_quote!(#[net(min = 1 + 1)])).contains("a plain literal"));
        assert!(one(parse_quote!(#[net(min(1))])).contains("expected `,` or `=`"));
        assert!(one(parse_quote!(#[net(max = "5")])).contains("needs a number"));
        assert!(one(parse_quote!(#[net(max = 5u8)])).contains("needs a number"));
        assert!(one(parse_quote!(#[net(max = 1e999)])).contains("needs a number"));
        assert!(one(parse_quote!(#[net(step = -0.5)])).contains("above 0"));
        assert!(one(parse_quote!(#[net(max_len = -1)])).contains("above 0"));
        assert!(!one(parse_quote!(#[net])).is_empty());
    }
}
