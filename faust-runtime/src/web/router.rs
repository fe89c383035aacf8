//! Which path leads where: the app's pages first, then what every worker serves.

use super::{Listener, PageDef, status, table};
use crate::worker::Worker;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::routing::{MethodRouter, get};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use tower::ServiceExt;

/// What a manifest's pages get wrong that the compiler could not see.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RouteError {
    /// Two pages answer the same requests: change the path or the method of one.
    #[error("page `{page}` ({place}): `{path}` is answered by page `{other}` already")]
    Twice { page: &'static str, place: String, path: &'static str, other: &'static str },
    /// The path is not one, or collides with another; the cause says which.
    #[error("page `{page}` ({place}): `{path}`: {cause}")]
    Path { page: &'static str, place: String, path: &'static str, cause: String },
}

/// Serves until `stop` is done.
pub(crate) async fn serve(
    listener: Listener,
    router: Router<Worker>,
    worker: Worker,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let watching = status::watch(worker.clone());
    let router = router.with_state(worker);
    let serving = axum::serve(listener.socket, router).with_graceful_shutdown(stop);
    tokio::select! {
        result = serving => result,
        () = watching => Ok(()),
    }
}

/// Answers one `GET` request without a socket: its status and body.
pub(crate) async fn call(worker: &Worker, path: &str) -> crate::Result<(u16, String)> {
    let router = router(&worker.topology.pages)?.with_state(worker.clone());
    let response = router.oneshot(Request::get(path).body(Body::empty())?).await?;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await?;
    Ok((status, String::from_utf8(body.to_vec())?))
}

/// All routes. A page takes the place of what would be at its path otherwise.
pub(crate) fn router(pages: &[PageDef]) -> Result<Router<Worker>, RouteError> {
    let mut paths = Paths::default();
    let mut routes: BTreeMap<&str, MethodRouter<Worker>> = BTreeMap::new();
    for page in pages {
        paths.add(page)?;
        let route = (page.route)();
        let known = routes.remove(page.options.path).unwrap_or_default();
        routes.insert(page.options.path, known.merge(route));
    }
    for (path, route) in [
        ("/", get(status::index)),
        ("/status.json", get(status::json)),
        ("/health/live", get(status::live)),
        ("/health/ready", get(status::ready)),
        ("/metrics", get(status::metrics)),
        ("/table/{name}", get(table::rows)),
        ("/table/{name}/{key}", get(table::row)),
    ] {
        if paths.free(path) {
            routes.insert(path, route);
        }
    }
    Ok(routes.into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route)))
}

/// The pages' paths, checked as axum will: it panics where this answers.
#[derive(Default)]
struct Paths {
    matcher: matchit::Router<()>,
    pages: Vec<PageDef>,
}

impl Paths {
    fn add(&mut self, page: &PageDef) -> Result<(), RouteError> {
        let options = page.options;
        let same: Vec<_> = self.pages.iter().filter(|p| p.options.path == options.path).collect();
        if let Some(other) = same.iter().find(|p| p.options.method == options.method) {
            return Err(RouteError::Twice {
                page: options.name,
                place: options.place.to_string(),
                path: options.path,
                other: other.options.name,
            });
        }
        if same.is_empty() {
            self.insert(options.path).map_err(|cause| RouteError::Path {
                page: options.name,
                place: options.place.to_string(),
                path: options.path,
                cause,
            })?;
        }
        self.pages.push(*page);
        Ok(())
    }

    fn insert(&mut self, path: &str) -> Result<(), String> {
        if !path.starts_with('/') {
            return Err("a path begins with `/`".into());
        }
        // The form of axum 0.7, which axum 0.8 refuses.
        if let Some(part) = path.split('/').find(|part| part.starts_with([':', '*'])) {
            let name = part.trim_start_matches([':', '*']);
            return Err(format!("write `{{{name}}}` instead of `{part}`"));
        }
        self.matcher.insert(path, ()).map_err(|error| error.to_string())
    }

    /// Whether a path of ours is not one of the app's, and can stand beside them.
    fn free(&mut self, path: &'static str) -> bool {
        self.insert(path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::define::Place;
    use crate::web::{Method, PageOptions};

    fn page(name: &'static str, path: &'static str, method: Method) -> PageDef {
        let place = Place { file: "app.rs", line: 3 };
        let options = PageOptions { name, path, method, place };
        let route = match method {
            Method::Post => || axum::routing::post(|| async { "posted" }),
            _ => || get(|| async { "got" }),
        };
        PageDef { options, uses: &[], route }
    }

    fn check(pages: &[PageDef], message: Option<&str>) {
        let error = router(pages).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), message);
    }

    #[test]
    fn pages_stand_beside_each_other_and_in_front_of_ours() {
        check(
            &[page("a", "/count/{word}", Method::Get), page("b", "/count/{word}", Method::Post)],
            None,
        );
        check(&[page("index", "/", Method::Get), page("rest", "/{*rest}", Method::Get)], None);
    }

    #[test]
    fn what_axum_would_panic_at_is_an_error() {
        let a = page("a", "/count/{word}", Method::Get);
        check(
            &[a, page("b", "/count/{word}", Method::Get)],
            Some("page `b` (app.rs:3): `/count/{word}` is answered by page `a` already"),
        );
        check(
            &[a, page("b", "/count/{other}", Method::Post)],
            Some(
                "page `b` (app.rs:3): `/count/{other}`: Insertion failed due to conflict with previously registered route: /count/{word}",
            ),
        );
        check(
            &[page("b", "count", Method::Get)],
            Some("page `b` (app.rs:3): `count`: a path begins with `/`"),
        );
        check(
            &[page("b", "/count/:word", Method::Get)],
            Some("page `b` (app.rs:3): `/count/:word`: write `{word}` instead of `:word`"),
        );
    }
}
