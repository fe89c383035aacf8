//! This worker's side of the group's assignment: what it tells, and what is decided, in the group's words. Cooperative:
//! a task that moves is first taken from its owner, and given to its receiver in the round after; the plan names it, so
//! that the receiver can ask again if that round never comes.

use super::placement::{Candidate, Rules, place};
use crate::app::Settings;
use crate::app::topology::Topology;
use crate::kafka::{Assignor, MemberInfo, MemberPlan, TopicPartition};
use crate::partition::{Held, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What a member tells the deciding one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// Where others reach it: `http://127.0.0.1:6066`.
    pub(crate) endpoint: String,
    /// Its transactional ids: they are alive.
    pub(crate) ids: Vec<String>,
    /// What fails together with it.
    #[serde(default)]
    pub(crate) rack: String,
    /// Group, partition, and how much of the task's state it has.
    #[serde(default)]
    pub(crate) held: Vec<(usize, u32, Held)>,
}

/// What the deciding member tells each of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Group, partition, and the endpoint of who runs it.
    pub(crate) owners: Vec<(usize, u32, String)>,
    /// The transactional ids of all members.
    pub(crate) live: Vec<String>,
    /// Tasks that are on their way to this member.
    pub(crate) coming: Vec<(usize, u32)>,
    /// Tasks of others whose changelogs this member follows.
    #[serde(default)]
    pub(crate) standbys: Vec<(usize, u32)>,
    /// Those of them that it asks for when it lacks little enough.
    #[serde(default)]
    pub(crate) warmups: Vec<(usize, u32)>,
    /// The endpoint that the deciding member knows of this one.
    pub(crate) endpoint: String,
}

/// This worker's side of the group's assignment.
pub(crate) struct Assignment {
    /// The topics of each group.
    groups: Vec<Vec<Arc<str>>>,
    /// Which groups have tables.
    has_state: Vec<bool>,
    rules: Rules,
    announcement: RwLock<Announcement>,
    plan: Mutex<Plan>,
}

impl Assignment {
    pub(crate) fn new(topology: &Topology, settings: &Settings) -> Self {
        let names = |topics: &[usize]| {
            let topics = topics.iter().filter_map(|topic| topology.topics.get(*topic));
            topics.map(|topic| topic.name.clone()).collect()
        };
        let groups = topology.groups.iter().map(|group| names(&group.topics)).collect();
        let groups_of = 0..topology.groups.len();
        let has_state = groups_of.map(|group| !topology.logged_tables(group).is_empty()).collect();
        let rules = Rules {
            standbys: settings.standby_replicas,
            acceptable_lag: settings.acceptable_lag,
            max_warmups: settings.max_warmups,
        };
        let (announcement, plan) = (RwLock::default(), Mutex::default());
        Self { groups, has_state, rules, announcement, plan }
    }

    /// What this worker tells at its next join.
    pub(crate) fn announce(&self, change: impl FnOnce(&mut Announcement)) {
        change(&mut self.announcement.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Where others reach this worker.
    pub(crate) fn own_endpoint(&self) -> String {
        self.announcement.read().unwrap_or_else(PoisonError::into_inner).endpoint.clone()
    }

    /// What was decided last.
    pub(crate) fn plan(&self) -> Plan {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the deciding member knows this worker under another endpoint.
    pub(crate) fn is_misknown(&self) -> bool {
        self.plan().endpoint != self.own_endpoint()
    }

    /// The topics of all groups.
    pub(crate) fn topics(&self) -> Vec<Arc<str>> {
        let topics: BTreeSet<&Arc<str>> = self.groups.iter().flatten().collect();
        topics.into_iter().cloned().collect()
    }

    /// The partitions of a task.
    pub(crate) fn partitions(&self, task: TaskId) -> Vec<TopicPartition> {
        let topics = self.groups.get(task.group).map(Vec::as_slice).unwrap_or_default();
        topics.iter().map(|topic| TopicPartition::new(topic.clone(), task.partition)).collect()
    }

    /// The task of a partition.
    pub(crate) fn task_of(&self, of: &TopicPartition) -> Option<TaskId> {
        let group = self.groups.iter().position(|topics| topics.contains(&of.topic))?;
        Some(TaskId { group, partition: of.partition })
    }

    /// The tasks all of whose partitions are among these.
    pub(crate) fn complete(&self, owned: &BTreeSet<TopicPartition>) -> BTreeSet<TaskId> {
        let tasks: BTreeSet<TaskId> = owned.iter().filter_map(|of| self.task_of(of)).collect();
        let whole = |task: &TaskId| self.partitions(*task).iter().all(|of| owned.contains(of));
        tasks.into_iter().filter(whole).collect()
    }

    fn all_tasks(&self, topics: &[(Arc<str>, u32)]) -> Vec<TaskId> {
        let count =
            |name: &Arc<str>| topics.iter().find(|(known, _)| known == name).map_or(0, |(_, n)| *n);
        let groups = self.groups.iter().enumerate();
        groups
            .flat_map(|(group, names)| {
                let partitions = names.iter().map(count).min().unwrap_or(0);
                (0..partitions).map(move |partition| TaskId { group, partition })
            })
            .collect()
    }
}

impl Assignor for Assignment {
    fn user_data(&self) -> Vec<u8> {
        let announcement = self.announcement.read().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_vec(&*announcement).unwrap_or_default()
    }

    fn assign(&self, mut members: Vec<MemberInfo>, topics: &[(Arc<str>, u32)]) -> Vec<MemberPlan> {
        members.sort_by(|a, b| a.id.cmp(&b.id));
        let announced: Vec<Announcement> = members
            .iter()
            .map(|member| serde_json::from_slice(&member.user_data).unwrap_or_default())
            .collect();
        let candidates: Vec<Candidate> = members
            .iter()
            .zip(&announced)
            .map(|(member, announced)| Candidate {
                owned: self.complete(&member.owned.iter().cloned().collect()),
                held: announced
                    .held
                    .iter()
                    .map(|(group, n, held)| (id(*group, *n), *held))
                    .collect(),
                rack: announced.rack.clone(),
            })
            .collect();
        let has_state = |task: TaskId| self.has_state.get(task.group).copied().unwrap_or_default();
        let placed = place(&self.all_tasks(topics), &has_state, &candidates, self.rules);
        let live: Vec<String> = announced.iter().flat_map(|member| member.ids.clone()).collect();
        let owners: Vec<(usize, u32, String)> = placed
            .runs
            .iter()
            .filter_map(|(task, member)| {
                Some((task.group, task.partition, announced.get(*member)?.endpoint.clone()))
            })
            .collect();
        let plans = members.into_iter().zip(&announced).enumerate();
        plans
            .map(|(number, (member, announced))| {
                let mine = |of: &BTreeMap<TaskId, usize>| {
                    let mine = of.iter().filter(|(_, member)| **member == number);
                    mine.map(|(task, _)| (task.group, task.partition)).collect::<Vec<_>>()
                };
                let copies = placed.standbys.iter().filter(|(_, at)| at.contains(&number));
                let plan = Plan {
                    owners: owners.clone(),
                    live: live.clone(),
                    coming: mine(&placed.coming),
                    standbys: copies.map(|(task, _)| (task.group, task.partition)).collect(),
                    warmups: mine(&placed.warmups),
                    endpoint: announced.endpoint.clone(),
                };
                let runs = mine(&placed.runs).into_iter();
                MemberPlan {
                    id: member.id,
                    partitions: runs.flat_map(|(group, n)| self.partitions(id(group, n))).collect(),
                    user_data: serde_json::to_vec(&plan).unwrap_or_default(),
                }
            })
            .collect()
    }

    fn assigned(&self, user_data: &[u8]) {
        match serde_json::from_slice(user_data) {
            Ok(plan) => *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan,
            Err(error) => {
                tracing::error!(%error, "the group's plan cannot be read: do all workers run one version?")
            }
        }
    }
}

impl Plan {
    /// Which transactional ids are alive.
    pub(crate) fn live(&self) -> HashSet<String> {
        self.live.iter().cloned().collect()
    }

    /// Whose changelogs this member follows.
    pub(crate) fn standbys(&self) -> BTreeSet<TaskId> {
        self.standbys.iter().map(|(group, partition)| id(*group, *partition)).collect()
    }

    /// Which of them it warms up for.
    pub(crate) fn warmups(&self) -> BTreeSet<TaskId> {
        self.warmups.iter().map(|(group, partition)| id(*group, *partition)).collect()
    }
}

fn id(group: usize, partition: u32) -> TaskId {
    TaskId { group, partition }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(topics: &[&[&str]]) -> Assignment {
        let groups = topics.iter().map(|names| names.iter().map(|name| Arc::from(*name)).collect());
        Assignment {
            groups: groups.collect(),
            has_state: vec![true; topics.len()],
            rules: Rules { standbys: 0, acceptable_lag: 10_000, max_warmups: 2 },
            announcement: RwLock::default(),
            plan: Mutex::default(),
        }
    }

    fn member(id: &str, owned: Vec<TopicPartition>) -> MemberInfo {
        let user_data = serde_json::to_vec(&Announcement {
            endpoint: format!("http://{id}"),
            ids: vec![format!("txn-{id}")],
            ..Announcement::default()
        });
        MemberInfo { id: id.into(), owned, user_data: user_data.unwrap() }
    }

    /// Runs rounds until nothing moves; what each member has then, and how many rounds moved something.
    fn settle(
        group: &Assignment,
        ids: &[&str],
        mut has: BTreeMap<String, Vec<TopicPartition>>,
    ) -> (BTreeMap<String, Vec<TopicPartition>>, usize) {
        let topics = [("a".into(), 6), ("b".into(), 6), ("c".into(), 4)];
        for round in 0..10 {
            let members =
                ids.iter().map(|id| member(id, has.get(*id).cloned().unwrap_or_default()));
            let plans = group.assign(members.collect(), &topics);
            let next: BTreeMap<_, _> =
                plans.into_iter().map(|plan| (plan.id, plan.partitions)).collect();
            let owners: Vec<&TopicPartition> = next.values().flatten().collect();
            assert_eq!(owners.len(), owners.iter().collect::<HashSet<_>>().len(), "one owner each");
            if next == has {
                return (has, round);
            }
            has = next;
        }
        panic!("the group never settles");
    }

    #[test]
    fn co_partitioned_topics_move_as_one_and_everyone_gets_a_fair_share() {
        let group = group(&[&["a", "b"], &["c"]]);
        let (one, _) = settle(&group, &["m1"], BTreeMap::new());
        assert_eq!(one["m1"].len(), 16);
        let (three, rounds) = settle(&group, &["m1", "m2", "m3"], one.clone());
        assert!(rounds >= 2, "what moves is taken first and given later");
        for partitions in three.values() {
            let owned: BTreeSet<_> = partitions.iter().cloned().collect();
            let tasks = group.complete(&owned);
            assert!((3..=4).contains(&tasks.len()), "{three:?}");
            let whole: usize = tasks.iter().map(|task| group.partitions(*task).len()).sum();
            assert_eq!(whole, owned.len(), "no half of a task");
        }
        let kept = three["m1"].iter().filter(|of| one["m1"].contains(of)).count();
        assert_eq!(kept, three["m1"].len(), "who stays keeps what it has");
        let (two, _) = settle(&group, &["m1", "m3"], three.clone());
        for id in ["m1", "m3"] {
            assert!(three[id].iter().all(|of| two[id].contains(of)), "nothing moves without need");
        }
    }

    #[test]
    fn the_receiver_knows_what_is_on_its_way() {
        let group = group(&[&["c"]]);
        let all = group.assign(vec![member("m1", vec![])], &[("c".into(), 4)]).remove(0).partitions;
        let plans = group.assign(vec![member("m1", all), member("m2", vec![])], &[("c".into(), 4)]);
        let plan: Plan = serde_json::from_slice(&plans[1].user_data).unwrap();
        assert_eq!((plans[1].partitions.len(), plan.coming.len()), (0, 2));
        assert_eq!(plan.live, ["txn-m1", "txn-m2"]);
        assert!(plan.owners.iter().all(|(_, _, endpoint)| endpoint == "http://m1"));
    }
}
