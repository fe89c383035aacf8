//! The group's member, polled by a thread of its own.

use super::*;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;

/// How long one poll waits: so late it is seen that a rejoin can begin which had to wait for a rebalance.
const POLL: Duration = Duration::from_millis(200);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(2);

pub(super) struct Membership {
    member: Arc<native::Member>,
    events: mpsc::UnboundedReceiver<native::MemberEvent>,
    stop: Arc<AtomicBool>,
    polling: Option<std::thread::JoinHandle<()>>,
}

/// The port's assignor in the client's words.
struct Hooks(Arc<dyn Assignor>);

impl native::Assignor for Hooks {
    fn user_data(&self, _: &[native::TopicPartition]) -> Vec<u8> {
        self.0.user_data()
    }

    fn assign(
        &self,
        members: &[native::MemberInfo],
        topics: &[(String, i32)],
    ) -> Vec<native::Assigned> {
        let owned = |member: &native::MemberInfo| {
            let still = |of: &&native::TopicPartition| {
                // Of two that claim a partition the one of the later generation is right.
                !members
                    .iter()
                    .any(|other| other.generation > member.generation && other.owned.contains(of))
            };
            member.owned.iter().filter(still).cloned().map(from_tp).collect()
        };
        let members = members
            .iter()
            .map(|member| MemberInfo {
                id: member.id.clone(),
                owned: owned(member),
                user_data: member.user_data.clone(),
            })
            .collect();
        let topics: Vec<(Arc<str>, u32)> = topics
            .iter()
            .map(|(name, count)| (name.as_str().into(), (*count).max(0) as u32))
            .collect();
        self.0
            .assign(members, &topics)
            .into_iter()
            .map(|plan| native::Assigned {
                member: plan.id,
                partitions: plan.partitions.iter().map(to_tp).collect(),
                user_data: plan.user_data,
            })
            .collect()
    }

    fn assigned(&self, _: &[native::TopicPartition], user_data: &[u8], _: i32) {
        self.0.assigned(user_data);
    }
}

impl Membership {
    pub(super) fn join(
        config: &Config,
        group: &str,
        how: MemberConfig,
    ) -> Result<Self, KafkaError> {
        let topics: Vec<&str> = how.topics.iter().map(|topic| &**topic).collect();
        let strategy = native::Strategy::Assignor(Arc::new(Hooks(how.assignor)));
        let member =
            native::Member::new(config, group, how.instance_id.as_deref(), &topics, strategy);
        let member = Arc::new(member.map_err(|error| failed("joining the group", error))?);
        let (sender, events) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (polled, stopped) = (member.clone(), stop.clone());
        let polling = std::thread::Builder::new().name("faust-member".into()).spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                if let Some(event) = polled.poll(POLL)
                    && sender.send(event).is_err()
                {
                    break;
                }
            }
        });
        let polling = polling.map_err(|error| KafkaError::failed("joining the group", error))?;
        Ok(Self { member, events, stop, polling: Some(polling) })
    }

    fn stop_polling(&self) {
        self.stop.store(true, Ordering::Release);
        self.member.wake();
    }

    pub(super) fn native(&self) -> Arc<native::Member> {
        self.member.clone()
    }
}

impl Member for Membership {
    fn next(&mut self) -> BoxFuture<'_, MemberEvent> {
        async {
            loop {
                return match self.events.recv().await {
                    Some(native::MemberEvent::Assigned(partitions)) => {
                        MemberEvent::Assigned(partitions.into_iter().map(from_tp).collect())
                    }
                    Some(native::MemberEvent::Revoked { partitions, lost }) => {
                        let partitions = partitions.into_iter().map(from_tp).collect();
                        MemberEvent::Revoked { partitions, lost }
                    }
                    Some(native::MemberEvent::Error(error @ native::Error::Fatal { .. })) => {
                        MemberEvent::Dead(failed("the group", error))
                    }
                    Some(native::MemberEvent::Expelled) => MemberEvent::Expelled,
                    // The client says this itself, once in a while; it comes forty times a second.
                    Some(native::MemberEvent::Error(native::Error::Unreachable { .. })) => continue,
                    Some(native::MemberEvent::Error(error)) => {
                        MemberEvent::Failed(failed("the group", error))
                    }
                    Some(_) => continue,
                    None => std::future::pending().await,
                };
            }
        }
        .boxed()
    }

    fn answer(&mut self) {
        if let Err(error) = self.member.answer() {
            tracing::warn!(%error, "a rebalance could not be answered");
        }
    }

    fn rejoin(&mut self) {
        if let Err(error) = self.member.rejoin() {
            tracing::warn!(%error, "the group could not be asked again");
        }
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        self.stop_polling();
        let (member, polling) = (self.member.clone(), self.polling.take());
        async move {
            let left = tokio::task::spawn_blocking(move || {
                if let Some(polling) = polling {
                    let _ = polling.join();
                }
                member.leave(LEAVE)
            });
            if let Ok(Err(error)) = left.await {
                tracing::warn!(%error, "the group was not told that this worker leaves");
            }
        }
        .boxed()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.stop_polling();
    }
}
