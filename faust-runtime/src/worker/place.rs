//! Where parts of the worker run: on threads of their own, or, in tests, all on the test's one thread and clock.

use futures::future::BoxFuture;
use std::future::Future;
use tokio::sync::oneshot;

/// Threads, or this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A thread with a runtime of its own for each part; users' timers, tasks and pages on the ambient runtime.
    Threads,
    /// The `LocalSet` that is entered.
    Local,
}

impl Place {
    /// Starts a part.
    pub(crate) fn spawn<F, Fut>(self, name: &str, make: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        match self {
            Self::Local => {
                tokio::task::spawn_local(make());
            }
            Self::Threads => {
                let body = move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_time().build();
                    match runtime {
                        Ok(runtime) => {
                            let local = tokio::task::LocalSet::new();
                            local.block_on(&runtime, make());
                        }
                        Err(error) => tracing::error!(%error, "no runtime for a thread"),
                    }
                };
                // Linux keeps fifteen bytes of a thread's name.
                let name = name.chars().take(15).collect();
                if let Err(error) = std::thread::Builder::new().name(name).spawn(body) {
                    tracing::error!(%error, "a thread does not start");
                }
            }
        }
    }

    /// Runs something and waits for what it gives; `None` if it was ended. It ends when nobody waits any more.
    pub(crate) fn run<F, Fut, R>(
        self,
        name: &str,
        make: F,
    ) -> impl Future<Output = Option<R>> + use<F, Fut, R>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = R> + 'static,
        R: Send + 'static,
    {
        let (mut sender, done) = oneshot::channel();
        self.spawn(name, move || async move {
            let made = tokio::select! {
                made = make() => made,
                () = sender.closed() => return,
            };
            let _ = sender.send(made);
        });
        async move { done.await.ok() }
    }

    /// Starts a user's future.
    pub(crate) fn spawn_user(self, future: BoxFuture<'static, ()>) -> tokio::task::AbortHandle {
        match self {
            Self::Local => tokio::task::spawn_local(future).abort_handle(),
            Self::Threads => tokio::spawn(future).abort_handle(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let (ended, end) = oneshot::channel::<()>();
        let running = Place::Threads.run("endless", move || async move {
            let _ended = ended;
            std::future::pending::<()>().await;
        });
        drop(running);
        assert!(end.await.is_err(), "what it held is dropped");
    }
}
