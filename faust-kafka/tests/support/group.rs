//! Members of a group, each polled by a thread of its own, and an assignor that tells what it sees.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use faust_kafka::{
    Assigned, Assignor, Config, Member, MemberEvent, MemberInfo, Strategy, TopicPartition,
};

/// Gives every member the same number of partitions, taking away as few as possible.
#[derive(Default)]
pub struct Even {
    /// What it says to the leader.
    pub says: Mutex<Vec<u8>>,
    /// What it was told last, and in which generation.
    pub told: Mutex<Option<(String, i32)>>,
    /// What it saw as leader: one entry for each time.
    pub saw: Mutex<Vec<Vec<MemberInfo>>>,
    /// Whether it panics the next time.
    pub panics: AtomicBool,
}

impl Even {
    pub fn saying(data: &str) -> Arc<Self> {
        let even = Self::default();
        *even.says.lock().unwrap() = data.into();
        Arc::new(even)
    }

    pub fn told_data(&self) -> String {
        let told = self.told.lock().unwrap();
        told.as_ref().map_or_else(String::new, |told| told.0.clone())
    }

    pub fn generation(&self) -> i32 {
        self.told.lock().unwrap().as_ref().map_or(-1, |told| told.1)
    }
}

impl Assignor for Even {
    fn user_data(&self, _owned: &[TopicPartition]) -> Vec<u8> {
        self.says.lock().unwrap().clone()
    }

    fn assign(&self, members: &[MemberInfo], topics: &[(String, i32)]) -> Vec<Assigned> {
        self.saw.lock().unwrap().push(members.to_vec());
        assert!(!self.panics.swap(false, Ordering::SeqCst), "as it was told to");
        let all: Vec<_> = topics
            .iter()
            .flat_map(|(topic, count)| (0..*count).map(move |n| TopicPartition::new(topic, n)))
            .collect();
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by_key(|member| (member.instance.clone(), member.id.clone()));
        let mut rest = all.len();
        let mut shares: Vec<Assigned> = Vec::new();
        for (i, member) in members.iter().enumerate() {
            let share = rest.div_ceil(members.len() - i);
            rest -= share;
            let mut partitions = member.owned.clone();
            partitions.retain(|partition| all.contains(partition));
            partitions.sort();
            partitions.truncate(share);
            shares.push(Assigned { member: member.id.clone(), partitions, user_data: Vec::new() });
        }
        let mut free = all.clone();
        free.retain(|partition| !members.iter().any(|member| member.owned.contains(partition)));
        let most = all.len().div_ceil(members.len());
        for share in &mut shares {
            while share.partitions.len() < most {
                let Some(partition) = free.pop() else { break };
                share.partitions.push(partition);
            }
        }
        let mut said: Vec<_> =
            members.iter().map(|m| String::from_utf8(m.user_data.clone()).unwrap()).collect();
        said.sort();
        for share in &mut shares {
            share.user_data = said.join(",").into_bytes();
        }
        shares
    }

    fn assigned(&self, _partitions: &[TopicPartition], user_data: &[u8], generation: i32) {
        let told = String::from_utf8(user_data.to_vec()).unwrap();
        *self.told.lock().unwrap() = Some((told, generation));
    }
}

/// A member with its control thread, which answers at once unless it is told to hold.
pub struct Joined {
    pub member: Arc<Member>,
    pub owned: Arc<Mutex<Vec<TopicPartition>>>,
    pub events: Arc<Mutex<Vec<MemberEvent>>>,
    /// While set, revocations are not answered.
    pub hold: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    control: Option<JoinHandle<()>>,
}

impl Joined {
    pub fn new(
        config: &Config,
        group: &str,
        instance: Option<&str>,
        topic: &str,
        strategy: Strategy,
    ) -> Self {
        let member = Member::new(config, group, instance, &[topic], strategy).unwrap();
        let mut joined = Self {
            member: Arc::new(member),
            owned: Arc::default(),
            events: Arc::default(),
            hold: Arc::default(),
            stop: Arc::default(),
            control: None,
        };
        let (member, owned, events) =
            (joined.member.clone(), joined.owned.clone(), joined.events.clone());
        let (hold, stop) = (joined.hold.clone(), joined.stop.clone());
        joined.control = Some(thread::spawn(move || {
            let mut held = false;
            while !stop.load(Ordering::SeqCst) {
                if held && !hold.load(Ordering::SeqCst) {
                    held = false;
                    member.answer().unwrap();
                }
                let Some(event) = member.poll(Duration::from_millis(20)) else { continue };
                match &event {
                    MemberEvent::Assigned(more) => {
                        owned.lock().unwrap().extend(more.clone());
                        events.lock().unwrap().push(event.clone());
                        member.answer().unwrap();
                        continue;
                    }
                    MemberEvent::Revoked { partitions, .. } => {
                        owned.lock().unwrap().retain(|owned| !partitions.contains(owned));
                        held = hold.load(Ordering::SeqCst);
                    }
                    _ => {}
                }
                events.lock().unwrap().push(event);
                if !held {
                    member.answer().unwrap();
                }
            }
        }));
        joined
    }

    pub fn count(&self) -> usize {
        self.owned.lock().unwrap().len()
    }

    pub fn revoked(&self) -> bool {
        let events = self.events.lock().unwrap();
        events.iter().any(|event| matches!(event, MemberEvent::Revoked { .. }))
    }

    /// Stops the control thread; the member is gone as if its process had died once this is the
    /// last to have it.
    pub fn kill(mut self) {
        self.stop();
    }

    pub fn leave(mut self) -> Arc<Member> {
        self.stop();
        self.member.leave(super::SOON).unwrap();
        self.member.clone()
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(control) = self.control.take() {
            control.join().unwrap();
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.stop();
    }
}
