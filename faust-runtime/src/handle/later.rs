//! Handles that are declared and checked, and cannot be asked for yet.

use crate::agent::{AgentParam, Bind, Param, TableUse, Use};
use crate::define::{AnyKey, Row};
use crate::worker::Worker;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use std::marker::PhantomData;

/// The rows of another agent's table, joined to this agent's events. Not available in this version.
#[derive(Debug)]
pub struct Lookup<T>(PhantomData<fn() -> T>);

/// What runs in this version.
#[diagnostic::on_unimplemented(
    message = "`{T}` is not available in this version",
    label = "cannot be asked for yet",
    note = "`View<T>` reads rows of any table from anywhere"
)]
pub trait Available<T> {}

macro_rules! later {
    ($handle:ident) => {
        impl<T> Clone for $handle<T> {
            fn clone(&self) -> Self {
                Self(PhantomData)
            }
        }

        impl<T: Row> AgentParam for $handle<T>
        where
            (): Available<Self>,
        {
            type PartitionKey = AnyKey;
            const USES: &'static [Use] = &[Use::View(TableUse::of::<T>())];

            fn bind(_: &Bind<'_>) -> crate::Result<Self> {
                Ok(Self(PhantomData))
            }
        }

        impl<T: Row> Param for $handle<T>
        where
            (): Available<Self>,
        {
            const USES: &'static [Use] = &[Use::View(TableUse::of::<T>())];

            fn bind(_: &Worker) -> crate::Result<Self> {
                Ok(Self(PhantomData))
            }
        }

        impl<T: Row> FromRequestParts<Worker> for $handle<T>
        where
            (): Available<Self>,
        {
            type Rejection = Response;

            async fn from_request_parts(_: &mut Parts, worker: &Worker) -> Result<Self, Response> {
                crate::web::from_worker(worker).await
            }
        }
    };
}

later!(Lookup);
