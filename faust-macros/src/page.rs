//! `#[page]`: an async function that answers HTTP requests, with its own shim instead of axum's `Handler`: a wrong
//! parameter is an error at that parameter.

use crate::closest::did_you_mean;
use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::options::Options;
use crate::placeholders;
use crate::signature::{Function, with_async};
use crate::types::anchor;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let page = lower(attr, &item, &mut errors);
    let generated = page.as_ref().map(generate);
    let item = with_async(item);
    quote!(#item #errors #generated)
}

struct Page {
    krate: Krate,
    function: Function,
    path: String,
    /// A variant of the runtime's `Method`.
    method: &'static str,
}

const METHODS: [(&str, &str); 5] =
    [("get", "Get"), ("post", "Post"), ("put", "Put"), ("patch", "Patch"), ("delete", "Delete")];

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Page> {
    let mut options = Options::parse("page", attr, errors);
    let path = options.name("#[page(\"/path\")]", errors);
    let method = options.ident("method", "`get`, `post`, `put`, `patch` or `delete`", errors);
    let krate = options.krate(errors);
    options.finish(errors);
    let names = path.as_ref().and_then(|path| placeholders::read(path, errors));
    let method = method.and_then(|method| variant(&method, errors)).unwrap_or("Get");
    let function = Function::read("page", item, errors)?;
    if let (Some(path), Some(names)) = (&path, names) {
        placeholders::check(path, &names, function.parameters(), errors);
    }
    let path = path.map(|path| path.value()).unwrap_or_default();
    Some(Page { krate, function, path, method })
}

fn variant(method: &Ident, errors: &mut Errors) -> Option<&'static str> {
    let found = METHODS.iter().find(|(name, _)| method == name).map(|(_, variant)| *variant);
    if found.is_none() {
        let meant = did_you_mean(&method.to_string(), &METHODS.map(|(name, _)| name));
        errors.at(method, format!("unknown method `{method}`{meant}"));
    }
    found
}

fn generate(page: &Page) -> TokenStream {
    let Page { krate, function, path, method } = page;
    let (twin, name, place) = (function.ident(), function.name(), krate.place());
    let (twin_struct, cfgs) = (function.twin(twin), function.cfgs());
    let method = Ident::new(method, Span::call_site());
    let types: Vec<_> = function.parameters().iter().map(|parameter| &parameter.ty).collect();
    let body = body(krate, function, &types);
    let span = function.output_span();
    let future = quote_spanned! {span=>
        impl ::core::future::Future<Output = #krate::Response>
            + ::core::marker::Send + 'static + use<>
    };
    quote_spanned! {hygienic()=>
        #twin_struct
        #cfgs
        #[allow(unused_imports)]
        const _: () = {
            use #krate::NoUses as _;
            impl #krate::Page for #twin {
                const OPTIONS: #krate::PageOptions = #krate::PageOptions {
                    name: #name,
                    path: #path,
                    method: #krate::Method::#method,
                    place: #place,
                };
                const USES: &'static [&'static [#krate::Use]] =
                    &[#(#krate::UsesOf::<#types>::USES),*];
                #[allow(unused_variables, unused_mut)]
                fn handle(request: #krate::Request, worker: #krate::Worker) -> #future {
                    async move { #body }
                }
            }
        };
    }
}

/// Each parameter but the last from the request's head, the last from all of it; then the call.
fn body(krate: &Krate, function: &Function, types: &[&Type]) -> TokenStream {
    let span = hygienic();
    let names: Vec<_> = (0..types.len()).map(|n| format_ident!("p{n}", span = span)).collect();
    let arguments: Vec<_> = names.iter().map(|name| quote!(#name)).collect();
    let call = function.call(&arguments);
    let respond = quote_spanned!(function.output_span()=> respond(result));
    let answer = quote_spanned! {span=>
        let result = #call.await;
        { use #krate::respond; #respond }
    };
    let read = |name: &Ident, from: TokenStream| {
        quote_spanned! {span=>
            let #name = match #from.await {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(response) => return response,
            };
        }
    };
    let (Some((last_type, types)), Some((last, names))) = (types.split_last(), names.split_last())
    else {
        return answer;
    };
    let from_parts = names.iter().zip(types).map(|(name, ty)| {
        let at = anchor(ty).resolved_at(span);
        let from = quote_spanned!(at=> #krate::from_parts::<#ty>);
        read(name, quote_spanned!(span=> #from(&mut parts, &worker)))
    });
    let from_request = read(
        last,
        quote_spanned! {span=>
            #krate::from_request::<#last_type, _>(#krate::Request::from_parts(parts, body), &worker)
        },
    );
    quote_spanned! {span=>
        let (mut parts, body) = request.into_parts();
        #(#from_parts)*
        #from_request
        #answer
    }
}
