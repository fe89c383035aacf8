//! Where tasks run, and where copies of their state are kept: pure, and the same whoever decides.
//!
//! A task is partition n of every topic of a co-partitioned group, so it moves as one. Everyone gets a fair share and
//! keeps what it has up to that. A task with state goes to who lacks little of it; who lacks much warms up first, and
//! the task stays where it is until then.

use crate::kafka::Offset;
use crate::partition::{Held, TaskId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// A member, as far as placement is concerned.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    pub(super) owned: BTreeSet<TaskId>,
    pub(super) held: BTreeMap<TaskId, Held>,
    /// What fails together; empty: unknown.
    pub(super) rack: String,
}

/// What the settings say about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Copies of each task with state.
    pub(super) standbys: usize,
    /// Who lacks no more records than this may take a task over at once.
    pub(super) acceptable_lag: u64,
    /// How many tasks one member may warm up for at a time, beside its standbys.
    pub(super) max_warmups: usize,
}

/// What was decided; members by their place in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Placement {
    /// Who runs a task from now on.
    pub(super) runs: BTreeMap<TaskId, usize>,
    /// Tasks that are taken from their owner in this round, and who gets them in the next.
    pub(super) coming: BTreeMap<TaskId, usize>,
    /// Who follows a task's changelogs.
    pub(super) standbys: BTreeMap<TaskId, Vec<usize>>,
    /// Who asks for another round when it lacks little enough to take a task over.
    pub(super) warmups: BTreeMap<TaskId, usize>,
}

/// Places every task. `has_state` says which groups have tables.
pub(super) fn place(
    tasks: &[TaskId],
    has_state: &dyn Fn(TaskId) -> bool,
    members: &[Candidate],
    rules: Rules,
) -> Placement {
    let mut this = Placing::new(tasks, has_state, members, rules);
    let mut late = Vec::new();
    for (task, goal) in this.goals(tasks) {
        this.move_towards(task, goal, &mut late);
    }
    this.place_standbys(tasks);
    this.warm_up(late);
    this.placed
}

struct Placing<'a> {
    members: &'a [Candidate],
    rules: Rules,
    /// Where the changelogs of tasks with state end, as far as anybody knows.
    ends: BTreeMap<TaskId, Offset>,
    holders: BTreeMap<TaskId, usize>,
    placed: Placement,
    /// How many tasks each member runs when all have moved, so far.
    load: Vec<usize>,
}

impl<'a> Placing<'a> {
    fn new(
        tasks: &[TaskId],
        has_state: &dyn Fn(TaskId) -> bool,
        members: &'a [Candidate],
        rules: Rules,
    ) -> Self {
        let mut ends: BTreeMap<TaskId, Offset> =
            tasks.iter().filter(|task| has_state(**task)).map(|task| (*task, 0)).collect();
        let mut holders = BTreeMap::new();
        for (number, member) in members.iter().enumerate() {
            for task in &member.owned {
                holders.entry(*task).or_insert(number);
            }
            for (task, held) in &member.held {
                if let Some(end) = ends.get_mut(task) {
                    *end = (*end).max(held.at).max(held.end.unwrap_or(0));
                }
            }
        }
        let load = vec![0; members.len()];
        Self { members, rules, ends, holders, placed: Placement::default(), load }
    }

    fn held(&self, member: usize, task: TaskId) -> Option<&Held> {
        self.members.get(member)?.held.get(&task)
    }

    /// How many records of a task's state a member lacks; 0 if few enough.
    fn lacks(&self, member: usize, task: TaskId) -> u64 {
        let Some(known_end) = self.ends.get(&task) else { return 0 };
        let held = self.held(member, task).copied().unwrap_or_default();
        let lag = held.end.unwrap_or(*known_end).saturating_sub(held.at);
        let lag = u64::try_from(lag).unwrap_or(0);
        if lag <= self.rules.acceptable_lag { 0 } else { lag }
    }

    /// Who has each task in the end: everyone an equal share of each group, and of all together.
    fn goals(&mut self, tasks: &[TaskId]) -> BTreeMap<TaskId, usize> {
        let mut goals = BTreeMap::new();
        for group in tasks.chunk_by(|a, b| a.group == b.group) {
            for (task, member) in self.share_out(group) {
                goals.insert(task, member);
                if let Some(load) = self.load.get_mut(member) {
                    *load += 1;
                }
            }
        }
        goals
    }

    fn share_out(&self, tasks: &[TaskId]) -> Vec<(TaskId, usize)> {
        let count = self.members.len().max(1);
        let mut owned: Vec<Vec<TaskId>> = vec![Vec::new(); self.members.len()];
        let mut free = Vec::new();
        for task in tasks {
            match self.holders.get(task).and_then(|holder| owned.get_mut(*holder)) {
                Some(owned) => owned.push(*task),
                None => free.push(*task),
            }
        }
        // Of the tasks that do not divide evenly, who has least gets one, and of those who can use it best.
        let suits = |member: usize| {
            let takes =
                |task: &&TaskId| self.ends.contains_key(task) && self.lacks(member, **task) == 0;
            owned.get(member).map_or(0, Vec::len) + free.iter().filter(takes).count()
        };
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by_cached_key(|member| {
            (self.load.get(*member).copied(), Reverse(suits(*member)))
        });
        let mut room = vec![tasks.len() / count; self.members.len()];
        for member in order.into_iter().take(tasks.len() % count) {
            if let Some(room) = room.get_mut(member) {
                *room += 1;
            }
        }
        let mut shared = Vec::with_capacity(tasks.len());
        for (member, (mut owned, room)) in owned.into_iter().zip(&mut room).enumerate() {
            if owned.len() > *room {
                // What others can take over at once goes first.
                let ready = |task: &TaskId| self.others_ready(member, *task);
                owned.sort_by_cached_key(ready);
                free.extend(owned.split_off(*room));
            }
            *room -= owned.len();
            shared.extend(owned.into_iter().map(|task| (task, member)));
        }
        // First those for which it matters where they go.
        free.sort_by_cached_key(|task| !self.matters(*task));
        for task in free {
            let open = room.iter().enumerate().filter(|(_, room)| **room > 0);
            let best = open.min_by_key(|(member, room)| {
                (self.lacks(*member, task), Reverse(**room), self.load.get(*member).copied())
            });
            let Some((member, _)) = best else { break };
            if let Some(room) = room.get_mut(member) {
                *room -= 1;
            }
            shared.push((task, member));
        }
        shared
    }

    fn others_ready(&self, than: usize, task: TaskId) -> bool {
        (0..self.members.len()).any(|member| member != than && self.lacks(member, task) == 0)
    }

    fn matters(&self, task: TaskId) -> bool {
        let ready = |member| self.lacks(member, task) == 0;
        (0..self.members.len()).any(ready) && !(0..self.members.len()).all(ready)
    }

    /// Decides one task's next step. A task that somebody has stays there while the goal lacks more than its owner; one
    /// that nobody has goes to who lacks least.
    fn move_towards(&mut self, task: TaskId, goal: usize, late: &mut Vec<(TaskId, usize)>) {
        let lacks = self.lacks(goal, task);
        let now = match self.holders.get(&task) {
            Some(holder) if *holder == goal => goal,
            Some(holder) if lacks == 0 || lacks < self.lacks(*holder, task) => {
                self.placed.coming.insert(task, goal);
                return;
            }
            Some(holder) => *holder,
            None if lacks == 0 => goal,
            None => {
                let all = (0..self.members.len()).map(|member| (self.lacks(member, task), member));
                all.min_by_key(|(lacks, member)| (*lacks, *member != goal))
                    .map_or(goal, |best| best.1)
            }
        };
        self.placed.runs.insert(task, now);
        if now != goal {
            late.push((task, goal));
        }
    }

    /// Keeps copies apart from the task and from each other, by racks where they are said; where they are, as far as
    /// that is fair; else where most of it is.
    fn place_standbys(&mut self, tasks: &[TaskId]) {
        let copies = self.rules.standbys.min(self.members.len().saturating_sub(1));
        let fair = (self.ends.len() * copies).div_ceil(self.members.len().max(1));
        let mut given = vec![0; self.members.len()];
        for task in tasks.iter().filter(|task| self.ends.contains_key(task)) {
            let coming = self.placed.coming.get(task).copied();
            let Some(active) = coming.or_else(|| self.placed.runs.get(task).copied()) else {
                continue;
            };
            let mut taken = vec![active];
            for _ in 0..copies {
                let open = (0..self.members.len()).filter(|member| !taken.contains(member));
                let best = open.min_by_key(|member| {
                    let has = given.get(*member).copied().unwrap_or(0);
                    let held = self.held(*member, *task).filter(|_| has < fair);
                    let rank = match held {
                        Some(held) if held.follows => 0,
                        Some(_) if self.lacks(*member, *task) == 0 => 1,
                        _ => 2,
                    };
                    (self.same_rack(*member, &taken), rank, has, self.load.get(*member).copied())
                });
                let Some(best) = best else { break };
                taken.push(best);
                if let Some(given) = given.get_mut(best) {
                    *given += 1;
                }
            }
            let receiver =
                coming.filter(|to| self.held(*to, *task).is_some_and(|held| held.follows));
            let standbys: Vec<usize> = taken.into_iter().skip(1).chain(receiver).collect();
            if !standbys.is_empty() {
                self.placed.standbys.insert(*task, standbys);
            }
        }
        self.level_standbys(given);
    }

    /// Copies were given one after the other; where that has left somebody with two more than another, one moves.
    fn level_standbys(&mut self, mut given: Vec<usize>) {
        while let Some((task, from, to)) = self.uneven_standby(&given) {
            let at = self
                .placed
                .standbys
                .get_mut(&task)
                .and_then(|at| at.iter_mut().find(|at| **at == from));
            if let Some(at) = at {
                *at = to;
            }
            for (member, has) in given.iter_mut().enumerate() {
                *has = *has + usize::from(member == to) - usize::from(member == from);
            }
        }
    }

    fn uneven_standby(&self, given: &[usize]) -> Option<(TaskId, usize, usize)> {
        let has = |member: &usize| given.get(*member).copied().unwrap_or(0);
        for (task, at) in &self.placed.standbys {
            let coming = self.placed.coming.get(task);
            let active = coming.or_else(|| self.placed.runs.get(task)).copied();
            let beside =
                |from: usize| at.iter().copied().filter(move |other| *other != from).chain(active);
            for from in at.iter().filter(|from| Some(**from) != active) {
                let others: Vec<usize> = beside(*from).collect();
                let open = (0..given.len()).filter(|to| to != from && !others.contains(to));
                let fits = open
                    .filter(|to| !self.same_rack(*to, &others) || self.same_rack(*from, &others));
                if let Some(to) = fits.min_by_key(has).filter(|to| has(to) + 1 < has(from)) {
                    return Some((*task, *from, to));
                }
            }
        }
        None
    }

    fn same_rack(&self, member: usize, as_any: &[usize]) -> bool {
        let rack = |member: usize| self.members.get(member).map(|member| member.rack.as_str());
        rack(member).is_some_and(|own| {
            !own.is_empty() && as_any.iter().any(|other| rack(*other) == Some(own))
        })
    }

    /// Lets the goals of tasks that could not move yet catch up, some at a time; those that have begun go on.
    fn warm_up(&mut self, mut late: Vec<(TaskId, usize)>) {
        late.sort_by_key(|(task, goal)| !self.held(*goal, *task).is_some_and(|held| held.follows));
        let mut warming = vec![0; self.members.len()];
        for (task, goal) in late {
            let standbys = self.placed.standbys.entry(task).or_default();
            let Some(warming) = warming.get_mut(goal) else { continue };
            if !standbys.contains(&goal) {
                if *warming >= self.rules.max_warmups {
                    continue;
                }
                *warming += 1;
                standbys.push(goal);
            }
            self.placed.warmups.insert(task, goal);
        }
        self.placed.standbys.retain(|_, members| !members.is_empty());
    }
}
