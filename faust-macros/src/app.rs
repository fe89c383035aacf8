//! `#[app]`: the manifest.

use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::literal::name_in_kafka;
use crate::options::Options;
use crate::said::Said;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Index, Path};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let app = lower(attr, &item, &mut errors);
    let generated = app.as_ref().map(generate);
    quote!(#item #errors #generated)
}

struct App {
    krate: Krate,
    ident: Ident,
    id: String,
    version: Option<u32>,
    /// In the order of [`LISTS`], the order in which the runtime counts entries.
    lists: Vec<Vec<Path>>,
    parts: Vec<Path>,
}

/// The lists, the trait that their entries implement, and the constant that declares an entry.
const LISTS: [(&str, &str, &str); 5] = [
    ("agents", "Agent", "AGENT"),
    ("timers", "Timer", "TIMER"),
    ("tasks", "Task", "TASK"),
    ("pages", "Page", "PAGE"),
    ("commands", "Command", "COMMAND"),
];

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<App> {
    let mut options = Options::parse("app", attr, errors);
    let id = options.name("#[app(\"id\", agents(..))]", errors);
    let version = options.number("version", 1..=u32::MAX, errors);
    let lists = LISTS.iter().map(|(list, ..)| paths(list, &mut options, errors)).collect();
    let parts = paths("parts", &mut options, errors);
    let krate = options.krate(errors);
    options.later(&["crons", "services", "windows"], errors);
    options.finish(errors);
    if let Some(id) = &id {
        errors.keep(name_in_kafka(id));
    }
    let id = id.map(|id| id.value()).unwrap_or_default();
    let ident = subject(item, errors)?;
    Some(App { krate, ident, id, version, lists, parts })
}

fn paths(list: &'static str, options: &mut Options, errors: &mut Errors) -> Vec<Path> {
    let entries = options.list(list, errors).into_iter();
    let path = |entry: TokenStream| {
        let path = syn::parse2::<Path>(entry.clone()).ok();
        if path.is_none() {
            errors.at(entry, "expected the path to a function, such as `count` or `orders::count`");
        }
        path
    };
    entries.filter_map(path).collect()
}

/// The struct that stands for the app.
fn subject(item: &TokenStream, errors: &mut Errors) -> Option<Ident> {
    let Ok(input) = syn::parse2::<DeriveInput>(item.clone()) else {
        errors.push(Span::call_site(), "`#[app]` stands above a struct: `struct Shop;`");
        return None;
    };
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "an app cannot be generic");
        return None;
    }
    Some(input.ident)
}

fn generate(app: &App) -> TokenStream {
    let App { krate, ident, id, version, lists, parts } = app;
    let defs = lists.iter().zip(LISTS).map(|(paths, (list, of, item))| {
        let (of, item) = (Ident::new(of, Span::call_site()), Ident::new(item, Span::call_site()));
        (list, paths.iter().map(|path| quote!(<#path as #krate::#of>::#item)).collect())
    });
    let said = Said::default().plain("version", version.map(Literal::u32_unsuffixed));
    let said = defs.fold(said, |said, (list, defs)| said.list(list, defs));
    let said =
        said.list("parts", parts.iter().map(|path| quote!(<#path as #krate::App>::APP)).collect());
    let def = said.over(krate, "AppDef", id);
    let checks = lists.iter().flatten().enumerate().map(|(n, path)| check(krate, ident, n, path));
    quote_spanned! {hygienic()=>
        #[allow(unused_imports)]
        const _: () = {
            use #krate::require_entry;
            impl #krate::App for #ident {
                const APP: #krate::AppDef = #def;
            }
            #(#checks)*
        };
    }
}

/// The check of one entry, reported at it.
fn check(krate: &Krate, ident: &Ident, n: usize, path: &Path) -> TokenStream {
    let n = Index::from(n);
    let span = path.segments.last().map_or_else(Span::call_site, |last| last.ident.span());
    let span = span.resolved_at(hygienic());
    let check = quote_spanned!(span=> require_entry(&<#ident as #krate::App>::APP, #n));
    quote!(const _: () = #check;)
}
