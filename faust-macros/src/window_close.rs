//! `#[window_close(Trend)]`: an async function that is called with each row of a table's windows when they close. It is
//! an agent whose input is `Closed<Trend>`.

use crate::agent::{Agent, generate};
use crate::errors::Errors;
use crate::krate::hygienic;
use crate::options::{Options, pieces};
use crate::said::Said;
use crate::signature::{Function, with_async};
use crate::types::{anchor, last_name, pretty};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type, parse_quote};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let closer = lower(attr, &item, &mut errors);
    let generated = closer.as_ref().map(|(table, agent)| {
        let (mark, agent) = (mark(table.as_ref(), agent), generate(agent));
        quote!(#mark #agent)
    });
    let item = with_async(item);
    quote!(#item #errors #generated)
}

fn lower(
    attr: TokenStream,
    item: &TokenStream,
    errors: &mut Errors,
) -> Option<(Option<Path>, Agent)> {
    let (table, options) = table(attr, errors);
    let mut options = Options::parse("window_close", options, errors);
    let name = options.text("name", "a name", errors);
    let krate = options.krate(errors);
    options.finish(errors);
    let mut function = Function::read("window_close", item, errors)?;
    let input = function.first_type().cloned();
    let handles = function.parameters().iter().skip(1).map(|parameter| parameter.ty.clone());
    let mut handles: Vec<Type> = handles.collect();
    if table.is_none() {
        function.give_up();
    }
    let is_closed = |ty: &Type| last_name(ty).is_some_and(|name| name == "Closed");
    if let Some(table) = &table
        && function.is_callable()
        && !input.as_ref().is_some_and(is_closed)
    {
        let (name, row) = (function.ident(), pretty(table.to_token_stream()));
        let message = format!(
            "what has closed is the first parameter:\n  async fn {name}(row: Closed<{row}>, ..) -> Result<()>"
        );
        match &input {
            Some(input) => errors.at(input, message),
            None => errors.at(&function.signature, message),
        }
        function.give_up();
        handles.retain(|ty| !is_closed(ty));
    }
    let row: Option<Type> = table.as_ref().map(|table| parse_quote!(#krate::Closed<#table>));
    let hidden = table.as_ref().map(|table| parse_quote!(#krate::Table<#table>));
    let name = name.map_or_else(|| function.name(), |name| name.value());
    let twin = function.ident().clone();
    let input = input.filter(is_closed).or(row);
    let said = Said::default();
    Some((table, Agent { krate, function, twin, name, said, input, hidden, handles }))
}

/// That `windows(..)` can list it; that the table has windows, that they close, and that they are those of the input.
fn mark(table: Option<&Path>, agent: &Agent) -> TokenStream {
    let Agent { krate, function, twin, input, .. } = agent;
    let cfgs = function.cfgs();
    let checks = table.zip(input.as_ref()).map(|(table, input)| {
        let [of_table, of_input] =
            [&parse_quote!(#table), input].map(|ty| anchor(ty).resolved_at(hygienic()));
        let closes = quote_spanned!(of_table=> __closes::<#table>());
        let closed_of = quote_spanned!(of_input=> __closed_of::<#table, #input>);
        quote_spanned! {hygienic()=>
            use #krate::{require_closed_of as __closed_of, require_closes as __closes};
            const _: () = #closes;
            const _: fn() = #closed_of;
        }
    });
    quote_spanned! {hygienic()=>
        #cfgs
        const _: () = {
            #checks
            impl #krate::WindowClose for #twin {}
        };
    }
}

/// The table in front, and the options behind it.
fn table(attr: TokenStream, errors: &mut Errors) -> (Option<Path>, TokenStream) {
    const USAGE: &str = "say whose windows: `#[window_close(Trend)]`, where `Trend` is a table";
    let mut given = pieces(attr, errors).into_iter();
    let Some(table) = given.next() else {
        errors.push(Span::call_site(), USAGE);
        return (None, TokenStream::new());
    };
    let path = syn::parse2(table.clone()).ok();
    if path.is_none() {
        errors.at(table, USAGE);
    }
    (path, quote!(#(#given),*))
}
