//! A transactional producer in memory: a step before and after everything that a crash could separate.

use super::faults::Fault;
use super::*;

pub(super) struct Txn {
    cluster: Cluster,
    process: Process,
    id: String,
    epoch: u32,
    open: Option<u64>,
    slots: u32,
    highest: HashMap<u32, Offset>,
}

impl Txn {
    /// Fences the id's older producers and aborts what they left open.
    pub(super) fn init(cluster: Cluster, process: Process, id: String) -> Self {
        let mut state = cluster.lock();
        let (epoch, open) = state.producers.get(&id).copied().unwrap_or_default();
        if let Some(txn) = open {
            state.end(txn, false);
        }
        state.producers.insert(id.clone(), (epoch + 1, None));
        drop(state);
        Self {
            cluster,
            process,
            id,
            epoch: epoch + 1,
            open: None,
            slots: 0,
            highest: HashMap::new(),
        }
    }

    fn end(&mut self, commit: bool) -> Result<(), TxnError> {
        let mut state = self.cluster.lock();
        if self.fenced(&state) {
            return Err(fenced());
        }
        if let Some(txn) = self.open.take() {
            state.end(txn, commit);
            state.producers.insert(self.id.clone(), (self.epoch, None));
        }
        Ok(())
    }

    fn fenced(&self, state: &State) -> bool {
        state.producers.get(&self.id).is_none_or(|(epoch, _)| *epoch != self.epoch)
    }
}

impl Txn {
    /// The open transaction, begun if need be.
    fn open(&mut self, state: &mut State) -> u64 {
        *self.open.get_or_insert_with(|| {
            let txn = state.next_txn;
            state.next_txn += 1;
            state.txns.insert(txn, TxnState::Open);
            state.producers.insert(self.id.clone(), (self.epoch, Some(txn)));
            txn
        })
    }

    fn send_one(&mut self, record: &Outgoing<'_>, slot: Option<u32>) -> Result<(), SendError> {
        if !self.process.may("send") {
            return Ok(());
        }
        let now = self.cluster.now();
        let cluster = self.cluster.clone();
        let mut state = cluster.lock();
        if self.fenced(&state) {
            return Err(fenced().into());
        }
        if let Some(fault) = state.faults.take("send") {
            return Err(fault.of_a_transaction().into());
        }
        let txn = self.open(&mut state);
        let offset = state.append(record, now, Some(txn))?;
        if let Some(slot) = slot {
            self.highest.insert(slot, offset);
        }
        Ok(())
    }
}

fn fenced() -> TxnError {
    TxnError::Unknown("fenced by a newer producer".into())
}

impl Transactional for Txn {
    fn begin(&mut self, slots: u32) -> Result<(), TxnError> {
        self.slots = slots;
        self.highest.clear();
        Ok(())
    }

    fn send_all<'a>(
        &mut self,
        records: &mut dyn Iterator<Item = Outgoing<'a>>,
        slot: Option<u32>,
    ) -> Result<(), (usize, SendError)> {
        for (taken, record) in records.enumerate() {
            self.send_one(&record, slot).map_err(|error| (taken, error))?;
        }
        Ok(())
    }

    fn room(&mut self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    fn commit(
        &mut self,
        offsets: &[Commit],
    ) -> BoxFuture<'_, Result<Vec<Option<Offset>>, TxnError>> {
        let offsets = offsets.to_vec();
        async move {
            let cluster = self.cluster.clone();
            self.process.step("send offsets").await;
            {
                let mut state = cluster.lock();
                if self.fenced(&state) {
                    return Err(fenced());
                }
                if let Some(fault) = state.faults.take("send offsets") {
                    return Err(fault.of_a_transaction());
                }
                if !state.group.holds(&self.process) {
                    return Err(TxnError::Abortable("unknown member".into()));
                }
                let txn = self.open(&mut state);
                state.pending.extend(offsets.into_iter().map(|commit| (txn, commit)));
            }
            self.process.step("commit").await;
            let fault = {
                let faults = &mut cluster.lock().faults;
                let rows = (!self.highest.is_empty()).then(|| faults.take("commit with rows"));
                rows.flatten().or_else(|| faults.take("commit"))
            };
            if !matches!(fault, None | Some(Fault::Lost)) {
                return Err(fault.map_or_else(fenced, Fault::of_a_transaction));
            }
            self.end(true)?;
            if let Some(lost) = fault {
                return Err(lost.of_a_transaction());
            }
            self.process.step("committed").await;
            Ok((0..self.slots).map(|slot| self.highest.get(&slot).copied()).collect())
        }
        .boxed()
    }

    fn abort(&mut self) -> BoxFuture<'_, Result<(), TxnError>> {
        async move {
            self.process.step("abort").await;
            if let Some(fault) = self.cluster.lock().faults.take("abort") {
                return Err(fault.of_a_transaction());
            }
            self.end(false)
        }
        .boxed()
    }
}
