//! When a shard cuts, and how: at an interval, or when as much waits as may.

use super::*;
use std::task::Context;

impl Shard {
    /// Completes when everything that was done before the call is committed.
    pub(crate) async fn commit_now(&self) {
        let (sender, done) = oneshot::channel();
        self.cut_wanted.borrow_mut().push(sender);
        self.cut_now.notify_one();
        let _ = done.await;
    }

    /// Asks for an early cut when rows or outputs that wait for one reach their share, and holds events back while
    /// that cut cannot begin. Called for each event, so it looks at rows only now and then.
    pub(crate) fn check_budget(&self) {
        let events = self.events.get().wrapping_add(1);
        self.events.set(events);
        let outputs = self.waiting.get() > self.stage_bytes;
        if outputs && !self.exactly_once {
            self.outputs_crowd();
        } else if outputs || (events.is_multiple_of(1024) && self.rows_crowd()) {
            if self.cutting.get() {
                self.full.set(true);
            } else {
                self.cut_now.notify_one();
            }
        }
    }

    /// Whether rows that wait for a cut take more than their share of the budget.
    fn rows_crowd(&self) -> bool {
        let row = (self.budget.used.get() / self.budget.rows.get().max(1)).max(64);
        self.budget.dirty.get() * row > self.budget.limit / 4
    }

    /// Whether events are held back; then the task is woken when they are not.
    pub(crate) fn is_full(&self, cx: &Context<'_>) -> bool {
        let full = self.full.get() || self.outputs.crowd.get();
        if full {
            self.held_back.borrow_mut().push(cx.waker().clone());
        }
        full
    }

    /// A cut begins: what waited is in it.
    fn make_room(&self) {
        self.full.set(false);
        self.outputs_taken();
    }

    pub(super) async fn cut_loop(self: Rc<Self>, interval: Duration) {
        let mut next = Instant::now() + interval;
        loop {
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.cut_now.notified() => {}
            }
            next = Instant::now() + interval;
            let wanted = self.cut_wanted.take();
            self.cutting.set(true);
            let result = self.cut().await;
            self.cutting.set(false);
            if self.full.get() {
                self.cut_now.notify_one();
            }
            if let Err(error) = result {
                self.worker.fail(error.to_string());
                return;
            }
            for sender in wanted {
                let _ = sender.send(());
            }
        }
    }

    /// Commits everything that is done at this instant.
    async fn cut(self: &Rc<Self>) -> Result<(), CommitError> {
        let started = Instant::now();
        let tasks: Vec<Rc<Task>> = self
            .tasks
            .borrow()
            .values()
            .filter(|running| running.task.has_changes())
            .map(|running| running.task.clone())
            .collect();
        if tasks.is_empty() {
            self.make_room();
            return Ok(());
        }
        let sending = self.outputs.sending.lock().await;
        // Up to here and no further: no event can be settled between these lines.
        let mut cut = Cut::default();
        cut.tasks.extend(tasks.iter().map(|task| task.begin_cut()));
        self.make_room();
        if !self.exactly_once {
            for part in &mut cut.tasks {
                let sent = self.send_all(&std::mem::take(&mut part.outputs)).await;
                sent.map_err(|error| CommitError::Refused(error.to_string()))?;
            }
            cut.deliveries = Some(self.producer.borrow_mut().settle());
        }
        drop(sending);
        self.encode(&tasks, &mut cut).await?;
        let (mut rows, mut outputs) = (0, 0);
        for part in &cut.tasks {
            rows += part.tables.iter().map(|table| table.rows.len() as u64).sum::<u64>();
            outputs += part.outputs.len() as u64;
        }
        let (sender, outcome) = oneshot::channel();
        if self.committer.send((cut, sender)).is_err() {
            return Ok(());
        }
        let Ok(outcome) = outcome.await else { return Ok(()) };
        let outcome = outcome?;
        for _ in 0..outcome.aborted {
            self.worker.monitor.aborted();
        }
        for task in outcome.lost {
            // So long it may take until the group says whose it is.
            self.start_again(task, self.worker.settings.session_timeout);
        }
        for task in &tasks {
            if outcome.committed.contains(&task.id) {
                task.cut_stored();
                task.publish_positions();
            }
            task.publish();
        }
        self.worker.monitor.cut(started.elapsed(), rows, outputs);
        Ok(())
    }

    /// Encodes in slices of about a millisecond, so that events and outputs flow meanwhile.
    async fn encode(self: &Rc<Self>, tasks: &[Rc<Task>], cut: &mut Cut) -> Result<(), CommitError> {
        let mut slice = Instant::now();
        for (task, mut part) in tasks.iter().zip(std::mem::take(&mut cut.tasks)) {
            let encoded = loop {
                match task.encode_some() {
                    Ok(false) => {}
                    done => break done,
                }
                if slice.elapsed() >= Duration::from_millis(1) {
                    tokio::task::yield_now().await;
                    slice = Instant::now();
                }
            };
            if let Err(error) = encoded {
                self.restart_careful(task.id, error)?;
                continue;
            }
            part.tables = task.take_table_cuts();
            cut.tasks.push(part);
        }
        Ok(())
    }
}
