//! Parameters as handles: one impl a parameter, so that a wrong type is one error, at that type.

use crate::krate::Krate;
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Index, Type};

/// The handles of a function, for the type `twin` that stands for it.
pub(crate) struct Handles<'a> {
    pub(crate) twin: &'a Ident,
    pub(crate) types: Vec<&'a Type>,
    /// `AgentParamOf` and `AgentSlot`, or `ParamOf` and `Slot`.
    of: TokenStream,
    slot: TokenStream,
}

impl<'a> Handles<'a> {
    /// Those of an agent, which are bound a partition.
    pub(crate) fn of_agent(krate: &Krate, twin: &'a Ident, types: Vec<&'a Type>) -> Self {
        Self { twin, types, of: quote!(#krate::AgentParamOf), slot: quote!(#krate::AgentSlot) }
    }

    /// Those of everything else, which are bound a worker.
    pub(crate) fn of_worker(krate: &Krate, twin: &'a Ident, types: Vec<&'a Type>) -> Self {
        Self { twin, types, of: quote!(#krate::ParamOf), slot: quote!(#krate::Slot) }
    }

    /// `impl ParamOf<0> for report { type Handle = View<Count>; }`, and so on.
    pub(crate) fn impls(&self) -> TokenStream {
        let Self { twin, of, .. } = self;
        let impls = self.types.iter().enumerate().map(|(n, ty)| {
            let n = Index::from(n);
            quote! {
                impl #of<#n> for #twin {
                    type Handle = #ty;
                }
            }
        });
        impls.collect()
    }

    /// `(Slot<report, 0>,)`
    pub(crate) fn tuple(&self) -> TokenStream {
        let Self { twin, slot, .. } = self;
        let n = (0..self.types.len()).map(Index::from);
        quote!((#(#slot<#twin, #n>,)*))
    }

    /// `params.0.get()`, and so on, where `params` is a reference to the tuple.
    pub(crate) fn arguments(&self, params: &Ident) -> Vec<TokenStream> {
        let n = (0..self.types.len()).map(Index::from);
        n.map(|n| quote!(#params.#n.get())).collect()
    }

    /// The name of the parameter that holds the tuple: with an underscore where nothing is taken from it.
    pub(crate) fn params(&self) -> Ident {
        let name = if self.types.is_empty() { "_params" } else { "params" };
        Ident::new(name, crate::krate::hygienic())
    }
}
