//! The open connections and their threads, so that a stop reaches all of them.

use std::collections::HashMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Shared, connection};

/// Every connection that is open.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<HashMap<u64, Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// `None` until the thread has started.
    thread: Option<JoinHandle<()>>,
}

impl Connections {
    /// Closes every connection and waits for its thread.
    pub(crate) fn close(&self) {
        let open = std::mem::take(&mut *self.lock());
        for Connection { stream, .. } in open.values() {
            // A peer that is gone already is as good as closed.
            let _ = stream.shutdown(Shutdown::Both);
        }
        for thread in open.into_values().filter_map(|connection| connection.thread) {
            if thread.join().is_err() {
                tracing::error!("a connection's thread had panicked");
            }
        }
    }

    fn open(&self, id: u64, stream: TcpStream) {
        self.lock().insert(id, Connection { stream, thread: None });
    }

    /// Remembers the thread, unless the connection has ended already.
    fn started(&self, id: u64, thread: JoinHandle<()>) {
        if let Some(connection) = self.lock().get_mut(&id) {
            connection.thread = Some(thread);
        }
    }

    fn ended(&self, id: u64) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Connection>> {
        // Nothing here can be left half done.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes connections until the broker stops.
pub(crate) fn accept(shared: &Arc<Shared>, connections: &Arc<Connections>, listener: &TcpListener) {
    for (id, stream) in (0..).zip(listener.incoming()) {
        if shared.is_stopping() {
            return;
        }
        let result = stream.and_then(|stream| serve(shared, connections, id, stream));
        if let Err(error) = result {
            tracing::error!(%error, "cannot take a connection");
            // Most likely the process is out of files: it must not spin until one is free.
            thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn serve(
    shared: &Arc<Shared>,
    connections: &Arc<Connections>,
    id: u64,
    stream: TcpStream,
) -> std::io::Result<()> {
    connections.open(id, stream.try_clone()?);
    let (shared, its_connections) = (Arc::clone(shared), Arc::clone(connections));
    let thread = thread::Builder::new().name(format!("broker-connection-{id}")).spawn(move || {
        // Also when the thread panics: the connection must not stay open then.
        let _ended = OnDrop(|| its_connections.ended(id));
        if let Err(hangup) = connection::serve(&shared, &stream)
            && !shared.is_stopping()
        {
            tracing::warn!(reason = hangup.0, "a connection is dropped");
        }
        let _ = stream.shutdown(Shutdown::Both);
    });
    match thread {
        Ok(thread) => connections.started(id, thread),
        Err(error) => {
            connections.ended(id);
            return Err(error);
        }
    }
    Ok(())
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
