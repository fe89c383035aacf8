//! Handles that one parameter groups: `#[derive(AgentParam)]`.

use super::{AgentName, AgentParam, AgentParamOf, Bind, Use};
use crate::define::{Agrees, AnyKey, Each, Owns, Place};
use std::marker::PhantomData;

/// What is done with member `N` of a group: generic, so that an error in its type is not repeated.
#[derive(Debug)]
pub struct Member<G, const N: usize>(PhantomData<G>);

impl<G: AgentParamOf<N>, const N: usize> Member<G, N> {
    /// What it names.
    pub const USES: &'static [Use] = <G::Handle as AgentParam>::USES;

    /// Binds it.
    pub fn bind(bind: &Bind<'_>) -> crate::Result<G::Handle> {
        G::Handle::bind(bind)
    }

    /// The same again.
    pub fn again(member: &G::Handle) -> G::Handle {
        member.clone()
    }
}

impl<G, K, const N: usize> Agrees<K> for Member<G, N>
where
    G: AgentParamOf<N>,
    <G::Handle as AgentParam>::PartitionKey: Agrees<K>,
{
}

/// That a partition key comes from handles alone. A group with a member that is none is an error already.
pub trait Known {}

impl Known for AnyKey {}
impl<K> Known for Owns<K> {}
impl<A: Known, B: Known> Known for Each<A, B> {}
impl<G, H, const N: usize> Known for Member<G, N>
where
    G: AgentParamOf<N, Handle = H>,
    H: AgentParam<PartitionKey: Known>,
{
}

/// What several handles name, as one list.
pub const fn concat<const N: usize>(lists: &[&[Use]]) -> [Use; N] {
    let place = Place { file: file!(), line: line!() };
    let mut all = [Use::Ask(AgentName { name: "", inputs: &[], place }); N];
    let (mut free, mut lists) = (all.as_mut_slice(), lists);
    while let [list, rest @ ..] = lists {
        let Some((room, left)) = free.split_at_mut_checked(list.len()) else { break };
        room.copy_from_slice(list);
        (free, lists) = (left, rest);
    }
    all
}
