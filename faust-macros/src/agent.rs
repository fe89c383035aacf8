//! `#[agent]`: an async function over the records of a topic.

use crate::errors::Errors;
use crate::handles::Handles;
use crate::krate::{Krate, hygienic};
use crate::options::Options;
use crate::said::Said;
use crate::signature::{Function, with_async};
use crate::types::{
    anchor, has_lifetime, is_input, lacks_lifetime, last_name, pretty, with_lifetime,
};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Index, Lifetime, Type};

pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let agent = lower(attr, &item, &mut errors);
    let generated = agent.as_ref().map(generate);
    let item = with_async(item);
    quote!(#item #errors #generated)
}

pub(crate) struct Agent {
    pub(crate) krate: Krate,
    pub(crate) function: Function,
    /// The type beside the function.
    pub(crate) twin: Ident,
    pub(crate) name: String,
    pub(crate) said: Said,
    /// `Event<T>` or `Stream<T>`, if it can be told; of a function that is called when windows close, `Closed<T>`.
    pub(crate) input: Option<Type>,
    /// A handle in front of the others that no parameter is: of a table whose windows close.
    pub(crate) hidden: Option<Type>,
    pub(crate) handles: Vec<Type>,
}

fn lower(attr: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Agent> {
    let mut options = Options::parse("agent", attr, errors);
    let name = options.text("name", "a name", errors);
    let concurrency = options.number("concurrency", 1..=u32::from(u16::MAX), errors);
    let twin = options.ident("type", "a name for the agent's type", errors);
    options.later("sink", errors, |options, key, errors| {
        let sinks = options.paths(key, "the path to a topic or an agent, such as `Count`", errors);
        (!sinks.is_empty()).then_some(sinks)
    });
    let krate = options.krate(errors);
    options.finish(errors);

    let mut function = Function::read("agent", item, errors)?;
    let (input, handles) = inputs(&mut function, errors);
    if let Some(output) = function.borrowed_output() {
        errors.at(output, "a reply is sent when its record is gone: it owns what it holds");
        function.give_up();
    }
    let twin = twin.unwrap_or_else(|| function.ident().clone());
    let name = name.map_or_else(|| function.name(), |name| name.value());
    let said = Said::default().plain("concurrency", concurrency.map(Literal::u32_unsuffixed));
    Some(Agent { krate, function, twin, name, said, input, hidden: None, handles })
}

/// The input in front and the handles behind it. Where the input is missing or late, the function cannot be called.
fn inputs(function: &mut Function, errors: &mut Errors) -> (Option<Type>, Vec<Type>) {
    let input = function.first_type().cloned();
    let handles = function.parameters().iter().skip(1).map(|parameter| parameter.ty.clone());
    let handles: Vec<_> = handles.collect();
    if let Some(borrowed) = input.as_ref().filter(|ty| is_input(ty) && lacks_lifetime(ty)) {
        let record = plain(borrowed);
        errors.at(borrowed, format!("an input holds its records: write `{record}`"));
        function.give_up();
        return (None, Vec::new());
    }
    match &input {
        None if function.is_callable() => {
            function.give_up();
            let name = function.ident();
            errors.at(
                &function.signature,
                format!(
                    "an agent has an input:\n  \
                     async fn {name}(event: Event<Record>, ..) -> Result<Reply>    called for each event\n  \
                     async fn {name}(stream: Stream<Record>, ..) -> Result<()>     called once, with a loop of its own"
                ),
            );
        }
        Some(first) if !is_input(first) => {
            if let Some(late) = handles.iter().find(|ty| is_input(ty)) {
                function.give_up();
                errors.at(late, "the input of an agent is its first parameter");
                return (Some(late.clone()), Vec::new());
            }
        }
        Some(first)
            if last_name(first).is_some_and(|name| name == "Stream") && has_lifetime(first) =>
        {
            function.give_up();
            errors.at(
                first,
                "a stream keeps its records, so they own what they hold: read these as `Event<..>`",
            );
            return (None, Vec::new());
        }
        _ => {}
    }
    (input, handles)
}

/// `Event<Word>` of `Event<&Word>`.
fn plain(ty: &Type) -> String {
    pretty(ty.to_token_stream()).replace("& ", "").replace('&', "").replace("mut ", "")
}

pub(crate) fn generate(agent: &Agent) -> TokenStream {
    let Agent { krate, function, twin, name, said, input, hidden, handles } = agent;
    let (twin_struct, cfgs) = (function.twin(twin), function.cfgs());
    let first = usize::from(hidden.is_some());
    let types = Handles::of_agent(krate, twin, hidden.iter().chain(handles).collect());
    let (impls, tuple, params) = (types.impls(), types.tuple(), types.params());
    let checks = handles.iter().enumerate().map(|(n, ty)| checks(twin, first + n, ty));
    let input_type = match input {
        Some(input) => input.to_token_stream(),
        None => quote!(#krate::Event<#krate::Nothing>),
    };
    let given = match has_lifetime(&input_type) {
        true => {
            let message = Lifetime::new("'m", hygienic());
            with_lifetime(&input_type, |name| name == "static", &message)
        }
        false => quote!(Self::Input),
    };
    let root = krate.root();
    let output = function.output().unwrap_or_else(|| quote!(#root::Result<()>));
    let options = said.over(krate, "AgentOptions", name);
    let mut arguments = vec![quote_spanned!(hygienic()=> input)];
    arguments.extend(types.arguments(&params).into_iter().skip(first));
    let call = function.call(&arguments);
    quote_spanned! {hygienic()=>
        #twin_struct
        #cfgs
        #[allow(unused_imports)]
        const _: () = {
            use #krate::{Keys as __Keys, OwnsNone as _, require_copartitioned as __copartitioned};
            #impls
            #(#checks)*
            impl #krate::Agent for #twin {
                type Input = #input_type;
                type Given<'m> = #given;
                type Params = #tuple;
                type Output = #output;
                const OPTIONS: #krate::AgentOptions = #options;
                #[allow(unused_variables)]
                fn call<'m>(
                    input: Self::Given<'m>,
                    #params: &mut Self::Params,
                ) -> impl ::core::future::Future<Output = Self::Output> + use<'m> {
                    #call
                }
            }
        };
    }
}

/// What is checked of a handle beyond its type, reported at that type.
fn checks(twin: &Ident, n: usize, ty: &Type) -> TokenStream {
    let n = Index::from(n);
    let span = anchor(ty).resolved_at(hygienic());
    let agree = quote_spanned!(span=> __Keys::<#twin, #n>::agree);
    let copartitioned = quote_spanned!(span=> __copartitioned::<#twin, #n>());
    quote! {
        const _: fn() = #agree;
        const _: () = #copartitioned;
    }
}
