//! A group of members that do as they are told, round after round.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// The log of every task.
const LOG: Offset = 1_000_000;
const RULES: Rules = Rules { standbys: 0, acceptable_lag: 10_000, max_warmups: 2 };

fn task(group: usize, partition: u32) -> TaskId {
    TaskId { group, partition }
}

/// Groups with so many partitions each; those with an even number have state.
fn tasks(groups: &[u32]) -> Vec<TaskId> {
    let numbered = groups.iter().enumerate();
    numbered.flat_map(|(group, n)| (0..*n).map(move |partition| task(group, partition))).collect()
}

fn has_state(task: TaskId) -> bool {
    task.group.is_multiple_of(2)
}

/// Has all of a task's state, and has it for itself.
const ALL: Held = Held { at: LOG, end: Some(LOG), follows: false };

#[derive(Debug)]
struct Group {
    tasks: Vec<TaskId>,
    members: Vec<Candidate>,
    rules: Rules,
    last: Placement,
}

impl Group {
    fn new(groups: &[u32], members: usize, rules: Rules) -> Self {
        let members = vec![Candidate::default(); members];
        Self { tasks: tasks(groups), members, rules, last: Placement::default() }
    }

    /// One round; the owners read on, and standbys get as far as `reads` says.
    fn round(&mut self, reads: Offset) {
        self.last = place(&self.tasks, &has_state, &self.members, self.rules);
        self.check();
        for (number, member) in self.members.iter_mut().enumerate() {
            let runs = self.last.runs.iter().filter(|(_, at)| **at == number);
            member.owned = runs.map(|(task, _)| *task).collect();
            for held in member.held.values_mut() {
                (held.end, held.follows) = (None, false);
            }
            for task in member.owned.iter().filter(|task| has_state(**task)) {
                member.held.insert(*task, ALL);
            }
            for (task, _) in self.last.standbys.iter().filter(|(_, at)| at.contains(&number)) {
                let held = member.held.entry(*task).or_default();
                let at = (held.at + reads).min(LOG);
                *held = Held { at, end: Some(LOG), follows: true };
            }
        }
    }

    /// What holds after every round, whatever was before.
    fn check(&self) {
        let Placement { runs, coming, standbys, warmups } = &self.last;
        for task in &self.tasks {
            assert!(runs.contains_key(task) != coming.contains_key(task), "{task}: one place");
            let holder = self.members.iter().position(|member| member.owned.contains(task));
            if let Some(holder) = holder {
                let goes_on = runs.get(task).is_none_or(|to| *to == holder);
                assert!(goes_on, "{task}: it is taken before it is given");
            }
        }
        let mut warming = vec![0; self.members.len()];
        for (task, at) in standbys {
            assert!(has_state(*task), "{task}: nothing to copy");
            assert!(
                runs.get(task).is_none_or(|active| !at.contains(active)),
                "{task}: beside itself"
            );
            assert_eq!(
                at.len(),
                at.iter().collect::<BTreeSet<_>>().len(),
                "{task}: twice in a place"
            );
            let regular = self.rules.standbys.min(self.members.len() - 1);
            assert!(at.len() <= regular + 1, "{task}: {at:?}");
            assert!(self.members.len() == 1 || at.len() >= regular, "{task}: {at:?}");
            if let Some(warm) = warmups.get(task)
                && at.len() > regular
            {
                warming[*warm] += 1;
            }
        }
        for (task, to) in warmups {
            assert!(standbys[task].contains(to), "{task}: it follows what it warms up for");
        }
        assert!(warming.iter().all(|n| *n <= self.rules.max_warmups), "{warming:?} at a time");
    }

    /// Rounds until nothing changes; how many there were.
    fn settle(&mut self) -> usize {
        for round in 0..10 * self.tasks.len() + 10 {
            let before = self.last.clone();
            self.round(LOG / 2);
            let under_way = !self.last.coming.is_empty() || !self.last.warmups.is_empty();
            if before == self.last && !under_way {
                self.check_balance();
                return round;
            }
        }
        panic!("it never settles: {:?}", self.last);
    }

    /// What holds when nothing changes any more.
    fn check_balance(&self) {
        let owned = |member: usize| self.last.runs.iter().filter(move |(_, at)| **at == member);
        let within_one = |counts: Vec<usize>, what: &str| {
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{what}: {counts:?}");
        };
        let all = 0..self.members.len();
        within_one(all.clone().map(|member| owned(member).count()).collect(), "all tasks");
        for group in self.tasks.chunk_by(|a, b| a.group == b.group) {
            let of_group = |member| owned(member).filter(|(task, _)| group.contains(task)).count();
            within_one(all.clone().map(of_group).collect(), "a group");
        }
        let one_rack = self.members.iter().all(|member| member.rack.is_empty());
        if one_rack && self.tasks.iter().all(|task| has_state(*task)) {
            within_one(all.map(|member| self.standbys(member)).collect(), "standbys");
        }
    }

    fn owned(&self, member: usize) -> BTreeSet<TaskId> {
        self.members[member].owned.clone()
    }

    fn standbys(&self, member: usize) -> usize {
        self.last.standbys.values().filter(|at| at.contains(&member)).count()
    }
}

#[test]
fn a_task_with_state_stays_where_it_is_until_its_receiver_is_warm() {
    let mut group = Group::new(&[4], 1, RULES);
    group.settle();
    group.members.push(Candidate::default());
    group.round(LOG / 2);
    assert_eq!(group.owned(0).len(), 4, "nobody waits for a cold worker");
    assert_eq!(group.last.warmups, [(task(0, 2), 1), (task(0, 3), 1)].into());
    group.round(LOG / 2);
    assert_eq!(group.owned(0).len(), 4, "it lacks too much still");
    group.round(LOG / 2);
    assert_eq!(group.last.coming, [(task(0, 2), 1), (task(0, 3), 1)].into());
    group.round(LOG / 2);
    assert_eq!((group.owned(0).len(), group.owned(1).len()), (2, 2));
}

#[test]
fn a_task_without_state_and_one_with_little_move_at_once() {
    let mut group = Group::new(&[4, 4], 1, Rules { acceptable_lag: LOG as u64, ..RULES });
    group.settle();
    group.members.push(Candidate::default());
    group.round(0);
    assert_eq!(group.last.coming.len(), 4, "two of each");
    assert!(group.last.warmups.is_empty());
}

#[test]
fn so_many_warm_up_at_a_time_and_the_others_take_their_turn() {
    let mut group = Group::new(&[12], 1, Rules { max_warmups: 1, ..RULES });
    group.settle();
    group.members.extend([Candidate::default(), Candidate::default()]);
    group.round(LOG);
    assert_eq!(group.last.warmups.len(), 2, "one at each");
    group.settle();
    assert_eq!(group.owned(1).len(), 4);
}

#[test]
fn the_tasks_of_a_worker_that_is_gone_go_to_their_standbys() {
    let mut group = Group::new(&[9], 3, Rules { standbys: 1, ..RULES });
    group.settle();
    assert!((0..3).all(|member| group.standbys(member) == 3), "{:?}", group.last.standbys);
    let gone = group.members.remove(1).owned;
    group.round(LOG);
    for task in gone {
        let active = group.last.runs[&task];
        assert_eq!(group.members[active].held[&task], ALL, "{task} has a warm owner at once");
    }
    group.settle();
}

#[test]
fn without_a_standby_a_task_goes_to_who_has_most_of_it() {
    let mut group = Group::new(&[2], 3, RULES);
    group.members[1].held.insert(task(0, 0), Held { at: LOG / 2, ..Held::default() });
    group.members[2].held.insert(task(0, 0), Held { at: LOG, ..Held::default() });
    group.members[2].held.insert(task(0, 1), Held { at: LOG, ..Held::default() });
    group.round(0);
    assert_eq!(group.last.runs, [(task(0, 0), 2), (task(0, 1), 2)].into(), "more than its share");
    assert_eq!(group.last.warmups.len(), 1, "until another is warm");
    group.settle();
}

#[test]
fn an_owner_that_lost_its_disk_does_not_keep_the_task_from_who_has_all_of_it() {
    let mut group = Group::new(&[2], 2, RULES);
    group.members[0].owned = tasks(&[2]).into_iter().collect();
    group.members[0].held = tasks(&[2])
        .into_iter()
        .map(|task| (task, Held { at: 5, end: Some(LOG), follows: false }))
        .collect();
    group.members[1].held.insert(task(0, 1), Held { at: LOG, ..Held::default() });
    group.round(0);
    assert_eq!(group.last.coming, [(task(0, 1), 1)].into());
}

#[test]
fn copies_are_kept_in_other_racks() {
    let mut group = Group::new(&[12], 4, Rules { standbys: 1, ..RULES });
    for (member, rack) in group.members.iter_mut().zip(["a", "a", "b", "b"]) {
        member.rack = rack.into();
    }
    group.settle();
    for (task, at) in &group.last.standbys {
        assert_ne!(group.last.runs[task] / 2, at[0] / 2, "{task}: in the rack of its owner");
    }
    assert!((0..4).all(|member| group.standbys(member) == 3), "and evenly");
}

#[test]
fn more_copies_than_other_workers_are_as_many_as_there_are() {
    let mut group = Group::new(&[4], 2, Rules { standbys: 5, ..RULES });
    group.settle();
    assert!(group.last.standbys.values().all(|at| at.len() == 1));
    group.members.pop();
    group.round(LOG);
    assert!(group.last.standbys.is_empty(), "one worker has no other");
}

#[test]
fn a_worker_that_comes_back_with_its_disk_gets_its_own_tasks() {
    let mut group = Group::new(&[6], 3, RULES);
    group.settle();
    let own = group.owned(1);
    // As after a restart in the middle of a rebalance: it owns nothing, and has everything.
    group.members[1].owned.clear();
    for held in group.members[1].held.values_mut() {
        *held = Held { at: held.at, ..Held::default() };
    }
    group.round(0);
    assert_eq!(group.owned(1), own);
}

#[test]
fn what_is_nobodys_goes_where_it_is_warm_even_if_that_fills_others_first() {
    // Two have room; the state of the last task is where the first tasks would go.
    let mut group = Group::new(&[4], 2, RULES);
    for partition in [2, 3] {
        group.members[0].held.insert(task(0, partition), Held { at: LOG, ..Held::default() });
    }
    group.round(0);
    assert_eq!(group.owned(0), [task(0, 2), task(0, 3)].into());
}

/// Members with anything on their disks, owning anything once.
fn any_group() -> impl Strategy<Value = Group> {
    let rules = (0..3usize, 1..4usize);
    let shape = (vec(1..9u32, 1..4), 1..6usize, rules, any::<u64>());
    shape.prop_map(|(groups, count, (standbys, max_warmups), seed)| {
        let mut group = Group::new(&groups, count, Rules { standbys, max_warmups, ..RULES });
        let mut bits = seed;
        let mut next = |below: usize| {
            bits = bits.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            (bits >> 33) as usize % below
        };
        for (number, member) in group.members.iter_mut().enumerate() {
            member.rack = ["", "a", "b"][next(3)].into();
            for task in group.tasks.iter().filter(|task| has_state(**task)) {
                let at = [0, LOG / 3, LOG][next(3)];
                if at > 0 {
                    let follows = next(2) == 0;
                    let end = (follows || next(2) == 0).then_some(LOG);
                    member.held.insert(*task, Held { at, end, follows });
                }
            }
            let mine =
                group.tasks.iter().filter(|task| task.partition as usize % (count + 1) == number);
            member.owned = mine.copied().collect();
        }
        group
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_group_settles_in_balance(mut group in any_group()) {
        group.settle();
    }

    #[test]
    fn what_is_settled_stays_whatever_the_order_of_members(mut group in any_group()) {
        group.settle();
        let before: Vec<_> = group.members.iter().map(|member| member.owned.clone()).collect();
        group.members.reverse();
        group.round(0);
        let after: Vec<_> = group.members.iter().rev().map(|member| member.owned.clone()).collect();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn who_stays_keeps_its_tasks_when_another_goes(partitions in 1..30u32, count in 2..7usize) {
        let mut group = Group::new(&[partitions], count, RULES);
        group.settle();
        group.members.remove(0);
        let before: Vec<_> = group.members.iter().map(|member| member.owned.clone()).collect();
        group.settle();
        for (before, member) in before.iter().zip(&group.members) {
            prop_assert!(before.is_subset(&member.owned), "{:?} has lost some", before);
        }
    }

    #[test]
    fn only_what_a_newcomer_gets_moves(partitions in 1..30u32, count in 1..7usize, standbys in 0..3usize) {
        let mut group = Group::new(&[partitions], count, Rules { standbys, ..RULES });
        group.settle();
        let before: Vec<_> = group.members.iter().map(|member| member.owned.clone()).collect();
        group.members.push(Candidate::default());
        group.settle();
        for (before, member) in before.iter().zip(&group.members) {
            prop_assert!(member.owned.is_subset(before), "{:?} has got some", member.owned);
        }
    }
}
