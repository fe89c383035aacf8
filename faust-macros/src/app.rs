//! `#[app]`: the manifest.

use crate::cfg::{cfgs, is_cfg};
use crate::errors::Errors;
use crate::krate::{Krate, hygienic};
use crate::literal::name_in_kafka;
use crate::options::Options;
use crate::said::Said;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, DeriveInput, Index, Path};

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
    lists: Vec<Vec<Entry>>,
    /// Lists whose entries are of a trait and nothing more, with that trait.
    marked: Vec<(&'static str, Vec<Entry>)>,
    external: Vec<Entry>,
    parts: Vec<Entry>,
}

/// What a list names, and the conditions that it stands under.
#[derive(Clone)]
struct Entry {
    cfgs: TokenStream,
    path: Path,
}

/// The lists, the trait that their entries implement, and the constant that declares an entry.
const LISTS: [(&str, &str, &str); 6] = [
    ("agents", "Agent", "AGENT"),
    ("timers", "Timer", "TIMER"),
    ("tasks", "Task", "TASK"),
    ("pages", "Page", "PAGE"),
    ("commands", "Command", "COMMAND"),
    ("on_recovered", "Task", "TASK"),
];

/// Lists of what is declared and checked, and does not run yet.
const LATER: [(&str, &str); 2] = [("crons", "Cron"), ("services", "Service")];

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<App> {
    let mut options = Options::parse("app", attr, errors);
    let id = options.name("#[app(\"id\", agents(..))]", errors);
    let version = options.number("version", 1..=u32::MAX, errors);
    let mut entries = |list| {
        let given = options.list(list, errors).into_iter();
        given.filter_map(|entry| Entry::read(entry, errors)).collect()
    };
    let mut lists: Vec<Vec<Entry>> = LISTS.iter().map(|(list, ..)| entries(list)).collect();
    let mut marked: Vec<_> = LATER.iter().map(|(list, of)| (*of, entries(list))).collect();
    // What is called when windows close is an agent.
    let windows = entries("windows");
    if let Some(agents) = lists.first_mut() {
        agents.extend(windows.iter().cloned());
    }
    marked.push(("WindowClose", windows));
    let (external, parts) = (entries("external"), entries("parts"));
    let krate = options.krate(errors);
    options.finish(errors);
    if let Some(id) = &id {
        errors.keep(name_in_kafka(id));
    }
    let id = id.map(|id| id.value()).unwrap_or_default();
    let ident = subject(item, errors)?;
    Some(App { krate, ident, id, version, lists, marked, external, parts })
}

impl Entry {
    fn read(entry: TokenStream, errors: &mut Errors) -> Option<Self> {
        let read = |input: ParseStream<'_>| {
            let attrs = input.call(Attribute::parse_outer)?;
            Ok((attrs, input.parse()?))
        };
        let Ok((attrs, path)) = read.parse2(entry.clone()) else {
            errors.at(
                entry,
                "expected the name of a function, such as `count` or `orders::count`, without quotes and brackets",
            );
            return None;
        };
        for attr in attrs.iter().filter(|attr| !is_cfg(attr)) {
            errors.at(attr, "above an entry stands `#[cfg(..)]` and nothing else");
        }
        Some(Self { cfgs: cfgs(&attrs), path })
    }

    /// The token that carries errors.
    fn span(&self) -> Span {
        let last = self.path.segments.last();
        last.map_or_else(Span::call_site, |last| last.ident.span()).resolved_at(hygienic())
    }
}

/// The struct that stands for the app.
fn subject(item: &TokenStream, errors: &mut Errors) -> Option<Ident> {
    let Ok(input) = syn::parse2::<DeriveInput>(item.clone()) else {
        errors.push(Span::call_site(), "`#[app]` stands above a struct, `struct Shop;`, and `main` calls `faust::main::<Shop>()`");
        return None;
    };
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "an app cannot be generic");
        return None;
    }
    Some(input.ident)
}

fn generate(app: &App) -> TokenStream {
    let App { krate, ident, id, version, lists, marked, external, parts } = app;
    let defs = |entries: &[Entry], def: &dyn Fn(&Path) -> TokenStream| {
        let defs = entries.iter().map(|Entry { cfgs, path }| {
            let def = def(path);
            quote!(#cfgs #def)
        });
        defs.collect::<Vec<_>>()
    };
    let said = Said::default().plain("version", version.map(Literal::u32_unsuffixed));
    let said = lists.iter().zip(LISTS).fold(said, |said, (entries, (list, of, item))| {
        let (of, item) = (Ident::new(of, Span::call_site()), Ident::new(item, Span::call_site()));
        said.list(list, defs(entries, &|path| quote!(<#path as #krate::#of>::#item)))
    });
    let name = |path: &Path| quote!(#krate::AgentName::of::<#path>());
    let said = said.list("external", defs(external, &name));
    let said = said.list("parts", defs(parts, &|path| quote!(<#path as #krate::App>::APP)));
    let def = said.over(krate, "AppDef", id);
    let all: Vec<_> = lists.iter().flatten().collect();
    let checks = [
        checks("require_entry", &all),
        checks("require_external", &external.iter().collect::<Vec<_>>()),
        checks("require_part", &parts.iter().collect::<Vec<_>>()),
    ];
    let checks = checks.iter().any(|checks| !checks.is_empty()).then(|| {
        let index = quote_spanned!(ident.span()=> __Index::of(&<#ident as #krate::App>::APP));
        quote_spanned! {hygienic()=>
            const _: () = {
                use #krate::{Index as __Index, require_entry, require_external, require_part};
                const APP: &__Index<'static> = &#index;
                #(#checks)*
            };
        }
    });
    let marked = marked.iter().flat_map(|(of, entries)| {
        let of = Ident::new(of, Span::call_site());
        let one = move |Entry { cfgs, path }: &Entry| {
            quote!(#cfgs const _: fn() = <#path as #krate::#of>::listed;)
        };
        entries.iter().map(one)
    });
    quote_spanned! {hygienic()=>
        const _: () = {
            impl #krate::App for #ident {
                const APP: #krate::AppDef = #def;
            }
            #checks
            #(#marked)*
        };
    }
}

/// A check for each entry, by its number, reported at it.
fn checks(check: &str, entries: &[&Entry]) -> TokenStream {
    let checks = entries.iter().enumerate().map(|(n, entry)| {
        let (number, cfgs) = (number(entries.iter().take(n).copied()), &entry.cfgs);
        let check = Ident::new(check, entry.span());
        let call = quote_spanned!(entry.span()=> #check(APP, #number));
        quote!(#cfgs const _: () = #call;)
    });
    checks.collect()
}

/// How many entries stand before one: those whose conditions hold.
fn number<'a>(before: impl Iterator<Item = &'a Entry> + Clone) -> TokenStream {
    if before.clone().all(|entry| entry.cfgs.is_empty()) {
        return Index::from(before.count()).into_token_stream();
    }
    let before = before.map(|Entry { cfgs, .. }| quote!(#cfgs ()));
    quote!(<[()]>::len(&[#(#before),*]))
}
