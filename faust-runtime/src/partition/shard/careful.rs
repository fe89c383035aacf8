//! When a cut finds a row that no changelog can hold: its partition goes back to the last commit and starts again, from
//! then on looking at every row before its event is done, so that the event fails and not the worker.

use super::*;
use crate::table::store::StoreError;
use std::collections::BTreeSet;
use tokio::time::sleep;

#[derive(Default)]
pub(super) struct Careful {
    tasks: RefCell<BTreeSet<TaskId>>,
    /// Stopped, and to be started again.
    coming_back: RefCell<BTreeSet<TaskId>>,
}

impl Careful {
    /// The task is another worker's from now on.
    pub(super) fn comes_back_not(&self, task: TaskId) {
        self.coming_back.borrow_mut().remove(&task);
    }
}

impl Shard {
    pub(crate) fn is_careful(&self, task: TaskId) -> bool {
        self.careful.tasks.borrow().contains(&task)
    }

    /// Starts a task again from its last commit. An error that was met like this before is given back.
    pub(super) fn restart_careful(
        self: &Rc<Self>,
        task: TaskId,
        error: StoreError,
    ) -> Result<(), CommitError> {
        let of_a_row = matches!(error, StoreError::Row { .. } | StoreError::TooLarge(_));
        if !of_a_row || !self.careful.tasks.borrow_mut().insert(task) {
            return Err(error.into());
        }
        tracing::error!(
            %task, %error,
            "a row cannot be written: its partition goes back to the last commit and checks every row from now on"
        );
        self.start_again(task, Duration::ZERO);
        Ok(())
    }

    /// Stops a task, and after a while, unless it goes elsewhere, starts it again from its last commit, whoever made that.
    pub(super) fn start_again(self: &Rc<Self>, task: TaskId, after: Duration) {
        self.careful.coming_back.borrow_mut().insert(task);
        let shard = self.clone();
        let restart = async move {
            shard.stop(task, true).await;
            if shard.careful.coming_back.borrow().contains(&task) {
                shard.worker.monitor.expect_task(task.group, task.partition);
            }
            sleep(after).await;
            if shard.careful.coming_back.borrow_mut().remove(&task) {
                shard.start(task);
            }
        };
        spawn_local(self.worker.clone().watched("starting a task again", restart));
    }
}
