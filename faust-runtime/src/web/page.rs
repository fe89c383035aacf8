//! What `#[page]` implements: an axum handler whose handles come from the worker.

use crate::agent::{Param, Use};
use crate::define::Place;
use crate::error::{Error, NotFound, Unavailable};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use std::future::Future;

/// A page: an async function that answers HTTP requests; `#[page]` implements it for a type that has the function's
/// name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a page",
    label = "not declared with `#[page]`",
    note = "`pages(..)` lists functions under `#[page(\"/path\")]`"
)]
pub trait Page: Sized + 'static {
    /// What the attribute says.
    const OPTIONS: PageOptions;
    /// What its parameters name.
    const USES: &'static [&'static [Use]];
    /// Takes the request apart, calls the function, makes the response.
    fn handle(
        request: Request,
        worker: Worker,
    ) -> impl Future<Output = Response> + Send + 'static + use<Self>;
    /// The declaration.
    const PAGE: PageDef = PageDef {
        options: Self::OPTIONS,
        uses: Self::USES,
        route: || {
            on(
                Self::OPTIONS.method.filter(),
                |axum::extract::State(worker): axum::extract::State<Worker>, request: Request| {
                    Self::handle(request, worker)
                },
            )
        },
    };
}

/// What `#[page]` says.
#[derive(Clone, Copy, Debug)]
pub struct PageOptions {
    /// The page's name: the function's.
    pub name: &'static str,
    /// The path, with placeholders as axum has them: `/count/{word}`.
    pub path: &'static str,
    /// The method.
    pub method: Method,
    /// Where it is declared.
    pub place: Place,
}

/// An HTTP method, as `method = post` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `get`, also answers `HEAD`.
    Get,
    /// `post`
    Post,
    /// `put`
    Put,
    /// `patch`
    Patch,
    /// `delete`
    Delete,
}

impl Method {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// A page as data.
#[derive(Clone, Copy)]
pub struct PageDef {
    /// What the attribute says.
    pub options: PageOptions,
    /// What its parameters name, a slice a parameter.
    pub uses: &'static [&'static [Use]],
    pub(crate) route: fn() -> MethodRouter<Worker>,
}

/// What a page can ask for in front of its last parameter: handles, and axum's extractors that leave the body alone.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a page cannot ask for `{Self}` here",
    label = "neither a handle nor an extractor",
    note = "a page asks for `View<T>`, `Sink<T>`, `Ask<agent>`, `Settings`, `State<S>`, `Context` and axum's extractors, such as `Path` and `Query`; what takes the body, such as `Json`, comes last",
    note = "a table is written by its agents only: ask for `View<T>`"
)]
pub trait PagePart: FromRequestParts<Worker> + 'static {}

#[diagnostic::do_not_recommend]
impl<T: FromRequestParts<Worker> + 'static> PagePart for T {}

/// What a page can ask for as its last parameter: also what takes the body.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a page cannot ask for `{Self}`",
    label = "neither a handle nor an extractor",
    note = "a page asks for `View<T>`, `Sink<T>`, `Ask<agent>`, `Settings`, `State<S>`, `Context` and axum's extractors, such as `Path`, `Query` and `Json`",
    note = "a table is written by its agents only: ask for `View<T>`"
)]
pub trait PageBody<M>: FromRequest<Worker, M> + 'static {}

#[diagnostic::do_not_recommend]
impl<T: FromRequest<Worker, M> + 'static, M> PageBody<M> for T {}

/// Reads a parameter that needs no body. The future is boxed: one of its own type would repeat an error in `T`.
#[doc(hidden)]
pub fn from_parts<'a, T: PagePart>(
    parts: &'a mut Parts,
    worker: &'a Worker,
) -> BoxFuture<'a, Result<T, Response>> {
    T::from_request_parts(parts, worker).map_err(IntoResponse::into_response).boxed()
}

/// Makes a handle.
#[doc(hidden)]
pub async fn from_worker<T: Param>(worker: &Worker) -> Result<T, Response> {
    T::bind(worker).map_err(|error| problem(&error))
}

/// Reads the last parameter, which may take the body.
#[doc(hidden)]
pub fn from_request<T: PageBody<M>, M: 'static>(
    request: Request,
    worker: &Worker,
) -> BoxFuture<'_, Result<T, Response>> {
    T::from_request(request, worker).map_err(IntoResponse::into_response).boxed()
}

/// `Ok` as its response; an error as a problem: 404 for [`NotFound`], 503 for [`Unavailable`], 500 otherwise.
#[doc(hidden)]
pub fn respond<T: IntoResponse, E: Into<Error>>(result: Result<T, E>) -> Response {
    match result {
        Ok(value) => value.into_response(),
        Err(error) => problem(&error.into()),
    }
}

/// An error as a response: `{"error": ".."}` with its status.
pub(crate) fn problem(error: &Error) -> Response {
    let status = if error.is::<NotFound>() {
        StatusCode::NOT_FOUND
    } else if error.is::<Unavailable>() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        tracing::error!(%error, "a page failed");
        StatusCode::INTERNAL_SERVER_ERROR
    };
    (status, Json(serde_json::json!({ "error": error.to_string() }))).into_response()
}

/// What parameter type `T` names, if it is a handle: the inherent constant wins over the trait's where `T` is one.
#[doc(hidden)]
pub struct UsesOf<T>(std::marker::PhantomData<T>);

impl<T: Param> UsesOf<T> {
    /// A handle's uses.
    pub const USES: &'static [Use] = T::USES;
}

/// The uses of what is not a handle: none.
#[doc(hidden)]
pub trait NoUses {
    /// None.
    const USES: &'static [Use] = &[];
}

impl<T> NoUses for UsesOf<T> {}
