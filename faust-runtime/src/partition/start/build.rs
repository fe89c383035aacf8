//! A task, of what it begins with.

use super::positions::marked;
use super::*;

pub(super) fn build(
    shard: &Rc<Shard>,
    id: TaskId,
    positions: &[Position],
    recovered: Vec<(usize, Recovered)>,
) -> Rc<Task> {
    let worker = &shard.worker;
    let topology = &worker.topology;
    let epoch =
        positions.iter().filter_map(|p| Some(p.metadata.as_ref()?.epoch)).max().unwrap_or(0) + 1;
    let cut = positions.iter().filter_map(|p| Some(p.metadata.as_ref()?.cut)).max().unwrap_or(0);
    let limit = worker.settings.queue_bytes;
    let source = |position: &Position| Rc::new(SourceQueue::new(position.of.clone(), limit));
    let sources: Vec<Rc<SourceQueue>> = positions.iter().map(source).collect();
    let agents =
        topology.groups.get(id.group).map(|group| group.agents.as_slice()).unwrap_or_default();
    let mut readers = Vec::new();
    for index in agents {
        let Some(agent) = topology.agents.get(*index) else { continue };
        for (input, topic) in agent.inputs.iter().enumerate() {
            let topic = topology.topic_index(topic.topic.name);
            let Some(source) = positions.iter().position(|position| Some(position.topic) == topic)
            else {
                continue;
            };
            let (Some(position), Some(queue)) = (positions.get(source), sources.get(source)) else {
                continue;
            };
            let known =
                position.metadata.as_ref().and_then(|metadata| metadata.agents.get(agent.name()));
            let time = position.metadata.as_ref().map_or(0, |it| it.time_of(agent.name()));
            let progress = known.cloned().unwrap_or_else(|| Progress::at(position.start));
            let lanes = usize::from(agent.options.concurrency.max(1));
            let of = ReaderOf { agent: *index, input, source };
            readers.push(Rc::new(Reader::new(of, queue.clone(), progress, time, lanes)));
        }
    }
    let newest = newest_metadata(positions, &recovered);
    let mut tables: Vec<(usize, Box<dyn AnyTable>)> = Vec::new();
    for (index, recovered) in recovered {
        let Some(table) = topology.tables.get(index) else { continue };
        let time = StreamTime::default();
        worker.open_store(index, id, shown(&table.def, recovered.store.clone(), time.clone()));
        let init = TableInit {
            index,
            partition: id.partition,
            partitions: worker.partitions_of_group(id.group),
            store: watched(recovered.store, worker.feed(index)),
            mark: recovered.mark,
            changelog: table.def.changelog.then(|| worker.broker.topic_id(&table.changelog)),
            budget: shard.budget.clone(),
            time,
        };
        tables.push((index, (table.ops.open)(init)));
    }
    let defs: Vec<&TableDef> =
        tables.iter().filter_map(|(index, _)| Some(&topology.tables.get(*index)?.def)).collect();
    let agents: Vec<(usize, &AgentDef)> =
        agents.iter().filter_map(|index| Some((*index, topology.agents.get(*index)?))).collect();
    let writers = defs.iter().map(|def| writers_of(def.name, &agents, &readers)).collect();
    let closer = |(index, agent): &(usize, &AgentDef)| {
        let table = defs.iter().position(|def| Some(def.name) == agent.closes)? as u16;
        let to = |metadata: &Metadata| metadata.closed.get(agent.name()).copied();
        let at = newest
            .as_ref()
            .and_then(to)
            .map_or(ClosedTo::NOTHING, |(start, rows)| ClosedTo { start, rows });
        let reader = Rc::new(Reader::of_closer(*index, sources.first()?.clone()));
        Some(Rc::new(Closer::new(agent.name(), table, at, reader)))
    };
    let closers = agents.iter().filter_map(closer).collect();
    let shard = shard.clone();
    let parts = TaskParts { id, epoch, cut, shard, sources, readers, tables, writers, closers };
    Rc::new(Task::new(parts))
}

/// What the last cut has said; where offsets were changed from outside, what the stores know of it.
fn newest_metadata(positions: &[Position], recovered: &[(usize, Recovered)]) -> Option<Metadata> {
    let committed = positions.iter().filter_map(|position| position.metadata.clone());
    let known = committed.max_by_key(|metadata| metadata.cut);
    known.or_else(|| {
        let marked = positions.iter().filter_map(|position| {
            let (offset, metadata) = marked(recovered, &position.of)?;
            Metadata::decode(&position.of, &Committed { offset, metadata }).ok()?
        });
        marked.max_by_key(|metadata| metadata.cut)
    })
}

/// The readers from which a table is written: by their agents, or when windows close of a table that is.
fn writers_of(
    table: &str,
    agents: &[(usize, &AgentDef)],
    readers: &[Rc<Reader>],
) -> Vec<Rc<Reader>> {
    let writes = |agent: &AgentDef, tables: &[&str]| {
        let mut uses = agent.uses.iter().copied().flatten();
        uses.any(|used| matches!(used, Use::Table(used) if tables.contains(&used.table.name)))
    };
    let mut tables = vec![table];
    loop {
        let closed = agents.iter().filter(|(_, agent)| writes(agent, &tables));
        let closed = closed.filter_map(|(_, agent)| agent.closes);
        let more: Vec<_> = closed.filter(|table| !tables.contains(table)).collect();
        if more.is_empty() {
            break;
        }
        tables.extend(more);
    }
    let writers = agents.iter().filter(|(_, agent)| writes(agent, &tables));
    let own = |index: usize| readers.iter().filter(move |reader| reader.of.agent == index);
    writers.flat_map(|(index, _)| own(*index)).cloned().collect()
}
