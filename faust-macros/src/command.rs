//! `#[command]`: an async function as a subcommand. Parameters under `#[arg]` become the fields of a struct that
//! derives clap's `Args`; the others are handles.

use crate::errors::Errors;
use crate::handles::Handles;
use crate::krate::{Krate, hygienic};
use crate::options::Options;
use crate::signature::{Function, Parameter, with_async};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::token::Paren;
use syn::{Attribute, Expr, FnArg, Lit, MacroDelimiter, Meta, MetaList, MetaNameValue, Pat, Type};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let command = lower(attr, &item, &mut errors);
    let generated = command.as_ref().map(generate);
    let item = command.map_or(item, |command| plain(command.function).into_token_stream());
    let item = with_async(item);
    quote!(#item #errors #generated)
}

struct Command {
    krate: Krate,
    function: Function,
    about: String,
    /// In the order of the signature.
    parameters: Vec<Kind>,
}

enum Kind {
    /// An argument: its documentation, `#[arg(..)]`, and its name.
    Argument {
        attrs: Vec<Attribute>,
        name: Ident,
        ty: Type,
    },
    Handle(Type),
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Command> {
    let mut options = Options::parse("command", attr, errors);
    let krate = options.krate(errors);
    options.finish(errors);
    let mut function = Function::read("command", item, errors)?;
    let about = documentation(&function.attrs);
    let parameters = function.parameters().iter().map(|parameter| Kind::read(parameter, errors));
    // All of them are read, so that each that is wrong is an error.
    let parameters: Vec<_> = parameters.collect();
    if parameters.iter().any(Option::is_none) {
        function.give_up();
    }
    let parameters = parameters.into_iter().flatten().collect();
    Some(Command { krate, function, about, parameters })
}

impl Kind {
    fn read(parameter: &Parameter, errors: &mut Errors) -> Option<Self> {
        let Parameter { attrs, pat, ty } = parameter;
        if !attrs.iter().any(is_arg) {
            return Some(Self::Handle(ty.clone()));
        }
        let Pat::Ident(pat) = pat else {
            errors.at(pat, "an argument has a name, not a pattern");
            return None;
        };
        let attrs = attrs.iter().filter(|attr| is_arg(attr) || is_doc(attr));
        let attrs = attrs.cloned().map(with_list).collect();
        Some(Self::Argument { attrs, name: pat.ident.clone(), ty: ty.clone() })
    }
}

fn is_arg(attr: &Attribute) -> bool {
    attr.path().is_ident("arg")
}

/// A bare `#[arg]` as `#[arg()]`, which is what clap takes.
fn with_list(mut attr: Attribute) -> Attribute {
    if is_arg(&attr)
        && let Meta::Path(path) = attr.meta
    {
        let delimiter = MacroDelimiter::Paren(Paren::default());
        attr.meta = Meta::List(MetaList { path, delimiter, tokens: TokenStream::new() });
    }
    attr
}

fn is_doc(attr: &Attribute) -> bool {
    attr.path().is_ident("doc")
}

/// The function as rustc admits it: without attributes and documentation on arguments.
fn plain(mut function: Function) -> Function {
    for input in &mut function.signature.inputs {
        if let FnArg::Typed(typed) = input
            && typed.attrs.iter().any(is_arg)
        {
            typed.attrs.retain(|attr| !is_arg(attr) && !is_doc(attr));
        }
    }
    function
}

fn generate(command: &Command) -> TokenStream {
    let Command { krate, function, about, parameters } = command;
    let (twin, place) = (function.ident(), krate.place());
    let name = function.name().replace('_', "-");
    let (twin_struct, cfgs) = (function.twin(twin), function.cfgs());
    let handles = parameters.iter().filter_map(|parameter| match parameter {
        Kind::Handle(ty) => Some(ty),
        Kind::Argument { .. } => None,
    });
    let handles = Handles::of_worker(krate, twin, handles.collect());
    let (impls, tuple, params) = (handles.impls(), handles.tuple(), handles.params());
    let fields = parameters.iter().filter_map(|parameter| match parameter {
        Kind::Argument { attrs, name, ty } => Some(quote!(#(#attrs)* #name: #ty)),
        Kind::Handle(_) => None,
    });
    let call = function.call(&arguments(parameters, &handles, &params));
    let future = function.future(krate);
    quote_spanned! {hygienic()=>
        #twin_struct
        #cfgs
        const _: () = {
            // The derive names `clap::..` and `Option`.
            use #krate::clap;
            #[allow(unused_imports)]
            use ::core::option::Option;
            #[derive(clap::Args)]
            pub struct __Args {
                #(#fields,)*
            }
            #impls
            impl #krate::Command for #twin {
                type Args = __Args;
                type Params = #tuple;
                const OPTIONS: #krate::CommandOptions =
                    #krate::CommandOptions { name: #name, about: #about, place: #place };
                #[allow(unused_variables)]
                fn call(args: Self::Args, #params: &Self::Params) -> #future {
                    #call
                }
            }
        };
    }
}

/// Arguments and handles in the order of the signature.
fn arguments(parameters: &[Kind], handles: &Handles<'_>, params: &Ident) -> Vec<TokenStream> {
    let mut handles = handles.arguments(params).into_iter();
    let value = |parameter: &Kind| match parameter {
        Kind::Argument { name, .. } => Some(quote_spanned!(hygienic()=> args.#name)),
        Kind::Handle(_) => handles.next(),
    };
    parameters.iter().filter_map(value).collect()
}

/// The first paragraph of a doc comment, on one line.
fn documentation(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(MetaNameValue { path, value: Expr::Lit(literal), .. })
            if path.is_ident("doc") =>
        {
            match &literal.lit {
                Lit::Str(line) => Some(line.value().trim().to_string()),
                _ => None,
            }
        }
        _ => None,
    });
    let lines = lines.skip_while(String::is_empty).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
