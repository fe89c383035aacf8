//! The value of a set table.

use std::marker::PhantomData;

/// The value of a table whose rows are sets: `value: Set<Member>`. Each member is a row of its own, in the store and in
/// the changelog: to add one to a set of millions writes one small record, and the members of a key lie side by side.
///
/// [`Table::of`](crate::Table::of) gives the set of a key; [`View::of`](crate::View::of) one that is read from anywhere,
/// [`Global::of`](crate::Global::of) that of the copy which every
/// worker has, and [`Remote::of`](crate::Remote::of) one that is changed from anywhere:
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[topic("follows", key = user)]
/// struct Follow { user: String, whom: String, on: bool }
///
/// #[table("following")]
/// struct Following { key: String, value: Set<String> }
///
/// #[agent]
/// async fn follow(follow: Event<Follow>, following: Table<Following>) -> Result<Vec<String>> {
///     let theirs = following.of(&follow.user);
///     if follow.on {
///         theirs.add(&follow.whom).await?;
///     } else {
///         theirs.remove(&follow.whom).await?;
///     }
///     theirs.members().await
/// }
///
/// #[app("social", agents(follow))]
/// struct Social;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = TestApp::start::<Social>().await?;
/// let follow = |whom: &str, on| Follow { user: "ada".into(), whom: whom.into(), on };
/// assert_eq!(app.ask::<follow>(follow("bob", true)).await?, ["bob"]);
/// assert_eq!(app.ask::<follow>(follow("cyd", true)).await?, ["bob", "cyd"]);
/// assert_eq!(app.ask::<follow>(follow("bob", false)).await?, ["cyd"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Set<M>(PhantomData<fn() -> M>);

/// That a field called `value` of a type called `Set` is [`Set`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `faust::Set`",
    label = "another type of this name",
    note = "the value of a set table is `faust::Set<Member>`; for a value of a type of your own, use it under another name"
)]
pub trait IsSet {}

impl<M> IsSet for Set<M> {}

/// Compiles for sets.
pub fn require_set<S: IsSet>() {}
