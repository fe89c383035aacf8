//! Token streams with mistakes: each single one, or several at random places.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// SplitMix64: every seed is a sequence of its own.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// What can happen at a token, given those from it on.
#[derive(Clone, Copy)]
enum Mistake {
    Drop,
    Double,
    SwapWithNext,
    /// Nothing follows.
    Last,
    CutOff,
    /// Parentheses, braces or brackets around it; or none, as what a `macro_rules` macro passes on has.
    Wrap(Delimiter),
    /// What is in a group, without the group.
    Unwrap,
}

const MISTAKES: [Mistake; 9] = [
    Mistake::Drop,
    Mistake::Double,
    Mistake::SwapWithNext,
    Mistake::Last,
    Mistake::CutOff,
    Mistake::Wrap(Delimiter::Parenthesis),
    Mistake::Wrap(Delimiter::Brace),
    Mistake::Wrap(Delimiter::None),
    Mistake::Unwrap,
];

impl Mistake {
    fn make(self, trees: &mut Vec<TokenTree>, at: usize) {
        let Some(tree) = trees.get(at).cloned() else { return };
        match self {
            Self::Drop => drop(trees.remove(at)),
            Self::Double => trees.insert(at, tree),
            Self::SwapWithNext if at + 1 < trees.len() => trees.swap(at, at + 1),
            Self::SwapWithNext => {}
            Self::Last => trees.truncate(at + 1),
            Self::CutOff => trees.truncate(at),
            Self::Wrap(delimiter) => trees[at] = Group::new(delimiter, tree.into()).into(),
            Self::Unwrap => {
                if let TokenTree::Group(group) = tree {
                    trees.splice(at..=at, group.stream());
                }
            }
        }
    }
}

/// The stream with each mistake at each token, and without any token.
pub(super) fn each_token(tokens: &TokenStream) -> Vec<TokenStream> {
    let places = (0..count(tokens)).flat_map(|at| MISTAKES.map(|mistake| (at, mistake)));
    let mangled = places.map(|(at, mistake)| {
        edit(tokens.clone(), &mut { at }, &mut |trees, at| mistake.make(trees, at))
    });
    [TokenStream::new()].into_iter().chain(mangled).collect()
}

/// The stream with one to four mistakes; tokens that are taken from elsewhere are those of `pool`.
pub(super) fn several(
    mut tokens: TokenStream,
    pool: &[TokenStream],
    random: &mut Random,
) -> TokenStream {
    for _ in 0..=random.below(4) {
        let mut at = random.below(count(&tokens));
        tokens = match random.below(MISTAKES.len() + 2).checked_sub(MISTAKES.len()) {
            None => {
                let mistake = MISTAKES[random.below(MISTAKES.len())];
                edit(tokens, &mut at, &mut |trees, at| mistake.make(trees, at))
            }
            Some(0) => {
                let other = random.below(usize::MAX);
                edit(tokens, &mut at, &mut |trees, at| {
                    let other = other % trees.len();
                    trees.swap(at, other);
                })
            }
            Some(_) => {
                let from = &pool[random.below(pool.len())];
                let other = token(from, &mut random.below(count(from)));
                edit(tokens, &mut at, &mut |trees, at| {
                    trees.splice(at..=at, other.clone()).for_each(drop)
                })
            }
        };
    }
    tokens
}

/// All tokens, those in groups too.
fn count(tokens: &TokenStream) -> usize {
    let inner = |tree| match tree {
        TokenTree::Group(group) => count(&group.stream()),
        _ => 0,
    };
    tokens.clone().into_iter().map(|tree| 1 + inner(tree)).sum()
}

/// The `at`th token.
fn token(tokens: &TokenStream, at: &mut usize) -> Option<TokenTree> {
    for tree in tokens.clone() {
        if *at == 0 {
            return Some(tree);
        }
        *at -= 1;
        if let TokenTree::Group(group) = tree
            && let Some(found) = token(&group.stream(), at)
        {
            return Some(found);
        }
    }
    None
}

/// The stream with the `at`th token and its neighbours edited.
fn edit(
    tokens: TokenStream,
    at: &mut usize,
    change: &mut impl FnMut(&mut Vec<TokenTree>, usize),
) -> TokenStream {
    let mut trees: Vec<_> = tokens.into_iter().collect();
    for n in 0..trees.len() {
        if *at == 0 {
            change(&mut trees, n);
            break;
        }
        *at -= 1;
        if let TokenTree::Group(group) = &trees[n] {
            let inner = count(&group.stream());
            if *at < inner {
                let stream = edit(group.stream(), at, change);
                trees[n] = Group::new(group.delimiter(), stream).into();
                break;
            }
            *at -= inner;
        }
    }
    trees.into_iter().collect()
}
