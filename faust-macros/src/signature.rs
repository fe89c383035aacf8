//! The function under an attribute: its signature is read, its body never is.

use crate::cfg::cfgs;
use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::types::{anchor, is_input, pretty, with_lifetime};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{
    Attribute, FnArg, GenericParam, Generics, Lifetime, Pat, ReturnType, Safety, Signature, Token,
    Type, Visibility,
};

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    vis: Visibility,
    pub(crate) signature: Signature,
    body: TokenStream,
    parameters: Vec<Parameter>,
    /// Whether expansions can call it; if not, errors say why.
    callable: bool,
}

pub(crate) struct Parameter {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) pat: Pat,
    /// With `'static` in place of the signature's lifetimes, so that it can be named elsewhere.
    pub(crate) ty: Type,
}

impl Function {
    /// Reads the item under `#[noun]`; `None` where it is no function at all.
    pub(crate) fn read(noun: &str, item: &TokenStream, errors: &mut Errors) -> Option<Self> {
        let Ok(mut function) = parse.parse2(item.clone()) else {
            errors.push(Span::call_site(), format!("`#[{noun}]` stands above an `async fn`"));
            return None;
        };
        function.callable = function.check(noun, errors);
        // Nothing can stand beside a method.
        function.signature.receiver().is_none().then_some(function)
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.signature.ident
    }

    /// What a call has to pass: nothing where there is none.
    pub(crate) fn parameters(&self) -> &[Parameter] {
        if self.callable { &self.parameters } else { &[] }
    }

    /// The type of the first parameter, also of a function that cannot be called, if it can be named elsewhere.
    pub(crate) fn first_type(&self) -> Option<&Type> {
        let first = self.parameters.first().map(|parameter| &parameter.ty);
        first.filter(|ty| {
            !self.is_generic() && !matches!(ty, Type::Reference(_) | Type::ImplTrait(_))
        })
    }

    pub(crate) fn is_callable(&self) -> bool {
        self.callable
    }

    /// Leaves the call out, for a reason that an error tells.
    pub(crate) fn give_up(&mut self) {
        self.callable = false;
    }

    /// Over types or constants: a call says what lifetimes are.
    fn is_generic(&self) -> bool {
        let mut params = self.signature.generics.params.iter();
        params.any(|param| !matches!(param, GenericParam::Lifetime(_)))
    }

    /// The returned type, if it borrows.
    pub(crate) fn borrowed_output(&self) -> Option<&Type> {
        let ReturnType::Type(_, ty) = &self.signature.output else { return None };
        let owned = owned(ty, &self.signature.generics);
        (owned.to_token_stream().to_string() != ty.to_token_stream().to_string()).then_some(&**ty)
    }

    /// Its name as text.
    pub(crate) fn name(&self) -> String {
        self.ident().unraw().to_string()
    }

    /// The returned type, if it can be named elsewhere.
    pub(crate) fn output(&self) -> Option<TokenStream> {
        match &self.signature.output {
            _ if self.is_generic() || self.borrowed_output().is_some() => None,
            ReturnType::Type(_, ty) => Some(ty.to_token_stream()),
            ReturnType::Default => Some(quote_spanned!(self.ident().span()=> ())),
        }
    }

    /// The token that carries errors about what is returned.
    pub(crate) fn output_span(&self) -> Span {
        match &self.signature.output {
            ReturnType::Type(_, ty) => anchor(ty),
            ReturnType::Default => self.ident().span(),
        }
        .resolved_at(hygienic())
    }

    /// The future that the trait of a timer, a task or a command returns; a function that returns something else is
    /// an error at the returned type.
    pub(crate) fn future(&self, krate: &Krate) -> TokenStream {
        let root = krate.root();
        quote_spanned! {self.output_span()=>
            impl ::core::future::Future<Output = #root::Result<()>>
                + ::core::marker::Send + 'static + use<>
        }
    }

    /// The call with these arguments, or what takes its place.
    pub(crate) fn call(&self, arguments: &[TokenStream]) -> TokenStream {
        let name = self.ident();
        if self.callable {
            quote!(#name(#(#arguments),*))
        } else {
            quote!(::core::future::pending())
        }
    }

    /// The conditions that the function stands under.
    pub(crate) fn cfgs(&self) -> TokenStream {
        cfgs(&self.attrs)
    }

    /// The type beside the function, which stands for it in lists and in `Ask<..>`. Braces keep it out of the
    /// namespace of functions.
    pub(crate) fn twin(&self, name: &Ident) -> TokenStream {
        let (vis, cfgs) = (&self.vis, self.cfgs());
        quote! {
            #cfgs
            #[doc(hidden)]
            #[allow(non_camel_case_types, unreachable_pub)]
            #vis struct #name {}
        }
    }

    /// Everything that keeps the function from being called; false where there is something.
    fn check(&self, noun: &str, errors: &mut Errors) -> bool {
        let a = with_article(noun);
        let Signature { constness, asyncness, safety, abi, fn_token, generics, variadic, .. } =
            &self.signature;
        let mut sound = true;
        let mut fault = |tokens: &dyn ToTokens, message: String| {
            sound = false;
            errors.at(tokens.to_token_stream(), message);
        };
        if asyncness.is_none() {
            fault(fn_token, format!("{a} must be an `async fn`"));
        }
        if let Some(constness) = constness {
            fault(constness, format!("{a} cannot be `const`"));
        }
        if !matches!(safety, Safety::Default) {
            fault(safety, format!("{a} cannot be `unsafe`"));
        }
        if let Some(abi) = abi {
            fault(abi, format!("{a} cannot be `extern`"));
        }
        if self.is_generic() {
            fault(
                generics,
                format!("{a} cannot be generic: implement the trait by hand for a generic type"),
            );
        }
        if let Some(variadic) = variadic {
            fault(variadic, format!("{a} cannot be variadic"));
        }
        if let Some(receiver) = self.signature.receiver() {
            fault(
                receiver,
                format!(
                    "{a} is a free function, without `self`: what it needs it asks for, such as `State<S>`"
                ),
            );
        }
        for (n, parameter) in self.parameters.iter().enumerate() {
            match &parameter.ty {
                Type::Reference(ty) => {
                    let inner = pretty(ty.elem.to_token_stream());
                    let inner = match noun == "agent" && n == 0 && !is_input(&ty.elem) {
                        true => format!("Event<{inner}>"),
                        false => inner,
                    };
                    fault(ty, format!("parameters are taken by value: write `{inner}`"));
                }
                Type::ImplTrait(ty) => fault(ty, format!("{a} cannot be generic: name the type")),
                ty if noun != "agent" && is_input(ty) => {
                    fault(ty, "only an agent has an input: ask for a handle".to_string());
                }
                _ => {}
            }
        }
        sound
    }
}

/// The item, with `async` in front of a function that lacks it: the error about that is enough, without one for each
/// `.await` in it.
pub(crate) fn with_async(item: TokenStream) -> TokenStream {
    match parse.parse2(item.clone()) {
        Ok(mut function)
            if function.signature.asyncness.is_none() && function.signature.constness.is_none() =>
        {
            function.signature.asyncness = Some(Token![async](function.signature.fn_token.span));
            function.into_token_stream()
        }
        _ => item,
    }
}

/// The function again, from what was read.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, signature, body, .. } = self;
        tokens.extend(quote!(#(#attrs)* #vis #signature #body));
    }
}

fn parse(input: ParseStream<'_>) -> syn::Result<Function> {
    let attrs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let signature: Signature = input.parse()?;
    if !input.peek(syn::token::Brace) && !input.peek(Token![;]) {
        return Err(input.error("expected a body"));
    }
    let parameters = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Receiver(_) => None,
        FnArg::Typed(typed) => Some(Parameter {
            attrs: typed.attrs.clone(),
            pat: (*typed.pat).clone(),
            ty: owned(&typed.ty, &signature.generics),
        }),
    });
    let parameters = parameters.collect();
    Ok(Function { attrs, vis, parameters, body: input.parse()?, signature, callable: true })
}

/// The type with `'static` in place of `'_` and of the lifetimes that the function is generic over.
fn owned(ty: &Type, generics: &Generics) -> Type {
    let is = |name: &Ident| {
        name == "_" || generics.lifetimes().any(|param| param.lifetime.ident == *name)
    };
    let forever = Lifetime::new("'static", Span::call_site());
    syn::parse2(with_lifetime(ty, is, &forever)).unwrap_or_else(|_| ty.clone())
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
