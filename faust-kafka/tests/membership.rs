//! What membership of a group promises.

#[cfg(test)]
mod support;

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use faust_kafka::{
    Assignor, Code, Config, Error, Member, MemberEvent, Producer, Reader, Record, Strategy,
    TopicPartition, TransactionalProducer, TxnErrorKind,
};
use support::{
    SOON, admin, config, eventually,
    group::{Even, Joined},
    next, topic, unique,
};

fn join(group: &str, instance: Option<&str>, topic: &str, assignor: &Arc<Even>) -> Joined {
    let assignor: Arc<dyn Assignor> = assignor.clone();
    Joined::new(&config(), group, instance, topic, Strategy::Assignor(assignor))
}

/// What matters most: a task that takes its time to hand over must not stop the partitions that
/// stay.
#[test]
fn a_revocation_answered_after_four_seconds_stops_no_other_partition() {
    let (topic, group) = (topic(4), unique("group"));
    let first = join(&group, None, &topic, &Even::saying("first"));
    eventually("the first member has all", || first.count() == 4);

    // A reader of the same group delivers all the time.
    let producer = Producer::new(&config().set("linger.ms", "0")).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let reader = Reader::data(&config(), &group).unwrap();
    let mut staying = reader.partition(&topic, 0, 0).unwrap();
    let writer = thread::spawn(move || {
        for _ in 0..650 {
            producer
                .send(&handle, &Record { value: Some(b"v"), ..Record::default() }, None)
                .unwrap();
            thread::sleep(Duration::from_millis(10));
        }
    });

    let (mut held, mut released, mut second) = (None, None, None);
    let (mut last, mut gap, mut expected) = (Instant::now(), Duration::ZERO, 0);
    while expected < 650 {
        let batch = next(&mut staying, SOON).expect("records").unwrap();
        // Records come: from here on the second member makes the first one give up half of its.
        let second = second.get_or_insert_with(|| {
            last = Instant::now();
            first.hold.store(true, Ordering::SeqCst);
            join(&group, None, &topic, &Even::saying("second"))
        });
        for message in batch.iter() {
            assert_eq!(message.offset(), expected, "nothing is lost or repeated");
            expected += 1;
        }
        if !batch.is_empty() {
            gap = gap.max(last.elapsed());
            last = Instant::now();
        }
        if held.is_none() && first.revoked() {
            held = Some(Instant::now());
        }
        if released.is_none() && held.is_some_and(|held| held.elapsed() > Duration::from_secs(4)) {
            assert_eq!(second.count(), 0, "the second waits for the first");
            first.hold.store(false, Ordering::SeqCst);
            released = Some(Instant::now());
        }
    }
    assert!(gap < Duration::from_secs(3), "a gap of {gap:?}");
    assert!(released.is_some(), "the answer was held back while records came");
    let second = second.unwrap();
    eventually("both have their share", || first.count() == 2 && second.count() == 2);
    writer.join().unwrap();
}

#[test]
fn user_data_reaches_the_leader_and_its_plan_reaches_every_member() {
    let (topic, group) = (topic(4), unique("group"));
    let (a, b) = (Even::saying("alpha"), Even::saying("beta"));
    let first = join(&group, Some("a"), &topic, &a);
    eventually("alone", || first.count() == 4 && a.told_data() == "alpha");
    let second = join(&group, Some("b"), &topic, &b);
    eventually("shared", || first.count() == 2 && second.count() == 2);
    assert_eq!((a.told_data(), b.told_data()), ("alpha,beta".to_owned(), "alpha,beta".to_owned()));
    // The leader saw who owned what, since when, and under which name.
    let saw = a.saw.lock().unwrap().last().unwrap().clone();
    let seen =
        |name: &str| saw.iter().find(|m| m.instance.as_deref() == Some(name)).unwrap().clone();
    assert_eq!((seen("a").owned.len(), seen("a").user_data), (2, b"alpha".to_vec()));
    assert_eq!(seen("a").topics, std::slice::from_ref(&topic));
    assert!(seen("a").generation > seen("b").generation || seen("b").owned.is_empty());
    assert_eq!(first.member.group_metadata().unwrap().instance(), Some("a"));
    assert!(first.member.group_metadata().unwrap().member().starts_with("a-"));
}

#[test]
fn a_rejoin_exchanges_user_data_anew_as_often_as_it_is_asked_for() {
    let (topic, group) = (topic(2), unique("group"));
    let (a, b) = (Even::saying("a0"), Even::saying("b0"));
    let first = join(&group, Some("a"), &topic, &a);
    eventually("alone", || first.count() == 2);
    let second = join(&group, Some("b"), &topic, &b);
    eventually("shared", || first.count() == 1 && second.count() == 1);
    for round in 1..4 {
        // Of the leader and of the other one.
        let (says, member) = if round % 2 == 0 { (&a, &first) } else { (&b, &second) };
        let new = format!("{}{round}", if round % 2 == 0 { "a" } else { "b" });
        *says.says.lock().unwrap() = new.clone().into();
        let generation = a.generation();
        member.member.rejoin().unwrap();
        eventually("both were told", || {
            a.told_data().contains(&new)
                && b.told_data().contains(&new)
                && a.generation() > generation
        });
    }
    // Nothing moved.
    assert_eq!((first.count(), second.count()), (1, 1));
    assert_eq!(first.owned.lock().unwrap().len(), 1);
}

#[test]
fn a_killed_static_member_that_comes_back_has_its_partitions_at_once() {
    let (topic, group) = (topic(4), unique("group"));
    let (a, b) = (Even::saying("a"), Even::saying("b"));
    let first = join(&group, Some("a"), &topic, &a);
    let second = join(&group, Some("b"), &topic, &b);
    eventually("shared", || first.count() == 2 && second.count() == 2);
    let had = second.owned.lock().unwrap().clone();
    let generation = a.generation();
    second.kill();
    let back = Instant::now();
    let again = Even::saying("b again");
    let second = join(&group, Some("b"), &topic, &again);
    eventually("back", || second.count() == 2);
    // Long before its session would have timed out, and nobody else noticed.
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    let sorted = |mut partitions: Vec<TopicPartition>| {
        partitions.sort();
        partitions
    };
    assert_eq!(sorted(second.owned.lock().unwrap().clone()), sorted(had));
    assert_eq!((a.generation(), again.generation()), (generation, generation));
    assert!(!again.told_data().contains("again"), "the plan is the old one until somebody rejoins");
    second.member.rejoin().unwrap();
    eventually("the new data", || a.told_data() == "a,b again" && again.told_data() == "a,b again");
}

#[test]
fn who_leaves_hands_over_at_once_static_or_not() {
    for instance in [None, Some("leaver")] {
        let (topic, group) = (topic(4), unique("group"));
        let leaver = join(&group, instance, &topic, &Even::saying("leaver"));
        let stayer = join(&group, None, &topic, &Even::saying("stayer"));
        eventually("shared", || leaver.count() == 2 && stayer.count() == 2);
        let left = Instant::now();
        let member = leaver.leave();
        eventually("the other has all", || stayer.count() == 4);
        assert!(left.elapsed() < Duration::from_secs(4), "{:?}", left.elapsed());
        assert!(matches!(member.group_metadata(), Err(Error::NotJoined { .. })));
        assert!(member.poll(Duration::ZERO).is_none());
    }
}

#[test]
fn a_place_in_the_group_vouches_for_commits_until_it_is_lost() {
    let (topic, group) = (topic(1), unique("group"));
    let joined = join(&group, None, &topic, &Even::saying("member"));
    eventually("joined", || joined.count() == 1);
    let place = TopicPartition::new(&topic, 0);
    let producer = TransactionalProducer::new(&config(), &unique("txn")).unwrap();
    producer.init(SOON).unwrap();
    let commit = |offset, metadata: &str, group: &faust_kafka::GroupMetadata| {
        producer.begin().unwrap();
        producer.send_offsets(&[(place.clone(), offset, metadata)], group, SOON)
    };

    commit(1, "one", &joined.member.group_metadata().unwrap()).unwrap();
    // Until the transaction ends, nobody may start from its offsets, nor from those before.
    let places = std::slice::from_ref(&place);
    let unstable = admin().committed(&group, places, true, SOON).unwrap_err();
    assert!(matches!(unstable, Error::UnstableOffsets { .. }), "{unstable}");
    assert_eq!(admin().committed(&group, places, false, SOON).unwrap(), [None]);
    producer.commit(SOON).unwrap();
    let found = admin().committed(&group, places, true, SOON).unwrap().remove(0).unwrap();
    assert_eq!((found.offset, found.metadata.as_str()), (1, "one"));

    let place_then = joined.member.group_metadata().unwrap();
    let member = joined.leave();
    let refused = commit(2, "two", &place_then).unwrap_err();
    assert_eq!(refused.kind, TxnErrorKind::Abortable, "{refused}");
    producer.abort(SOON).unwrap();
    // What librdkafka would return now is a blank cheque: brokers check nothing of it.
    assert!(matches!(member.group_metadata(), Err(Error::NotJoined { .. })));
}

#[test]
fn a_place_of_an_earlier_generation_vouches_for_nothing() {
    let (topic, group) = (topic(2), unique("group"));
    let first = join(&group, None, &topic, &Even::saying("first"));
    eventually("alone", || first.count() == 2);
    let before = first.member.group_metadata().unwrap();
    let second = join(&group, None, &topic, &Even::saying("second"));
    eventually("shared", || first.count() == 1 && second.count() == 1);
    // The group may be at it once more.
    let mut now = None;
    eventually("its place", || {
        now = first.member.group_metadata().ok();
        now.is_some()
    });
    let now = now.unwrap();
    assert!(now.generation() > before.generation());

    let producer = support::transactional(&unique("txn"));
    let offsets = [(TopicPartition::new(&topic, 0), 1, "")];
    producer.begin().unwrap();
    let refused = producer.send_offsets(&offsets, &before, SOON).unwrap_err();
    assert_eq!(refused.kind, TxnErrorKind::Abortable, "{refused}");
    producer.abort(SOON).unwrap();
    // The producer is as good as before.
    producer.begin().unwrap();
    producer.send_offsets(&offsets, &now, SOON).unwrap();
    producer.commit(SOON).unwrap();
}

#[test]
fn a_member_that_nobody_polls_loses_its_partitions_and_comes_back() {
    let (topic, group) = (topic(2), unique("group"));
    let patience = config().set("session.timeout.ms", "6000").set("max.poll.interval.ms", "6000");
    let assignor: Arc<dyn Assignor> = Even::saying("sleeper");
    let strategy = Strategy::Assignor(assignor);
    let member = Member::new(&patience, &group, None, &[&topic], strategy).unwrap();
    let assigned = |member: &Member| {
        let event = member.poll(Duration::from_millis(20));
        let is = matches!(&event, Some(MemberEvent::Assigned(all)) if all.len() == 2);
        member.answer().unwrap();
        is
    };
    eventually("assigned", || assigned(&member));
    thread::sleep(Duration::from_millis(7_500));
    let mut said = Vec::new();
    eventually("revoked", || {
        said.extend(member.poll(Duration::from_millis(20)));
        matches!(said.last(), Some(MemberEvent::Revoked { partitions, lost: true }) if partitions.len() == 2)
    });
    assert!(said.iter().any(|event| matches!(event, MemberEvent::Error(_))), "{said:?}");
    member.answer().unwrap();
    eventually("assigned again", || assigned(&member));
}

/// As it is when a process was frozen, and the group put it out, while it owed an answer: no heartbeat tells it that its
/// partitions are lost, but the group takes it in under another id. (librdkafka notices for members that are not static.)
#[test]
fn a_member_that_is_taken_in_anew_learns_that_others_may_have_had_its_partitions() {
    let broker = faust_broker::Broker::start(faust_broker::Config::default()).unwrap();
    let config = Config::new(broker.bootstrap_servers());
    let topic = faust_kafka::NewTopic::new("words", 2);
    for created in faust_kafka::Admin::new(&config).unwrap().create_topics(&[topic], SOON).unwrap()
    {
        created.unwrap();
    }
    let strategy = Strategy::Assignor(Even::saying("expelled"));
    let member = Member::new(&config, "group", Some("worker"), &["words"], strategy).unwrap();
    let next = || {
        let mut event = None;
        eventually("an event", || {
            event = member.poll(Duration::from_millis(20));
            event.is_some()
        });
        event.unwrap()
    };
    assert!(matches!(next(), MemberEvent::Assigned(all) if all.len() == 2));
    assert!(member.group_metadata().is_err(), "its owner has not taken note yet");
    member.answer().unwrap();
    let before = member.group_metadata().unwrap();

    broker.faults().add("JoinGroup error=25 nth=1".parse().unwrap());
    member.rejoin().unwrap();
    let event = next();
    assert!(matches!(event, MemberEvent::Expelled), "{event:?}");
    assert!(member.group_metadata().is_err(), "what was done before cannot be committed");
    assert!(matches!(next(), MemberEvent::Assigned(_)));
    member.answer().unwrap();
    assert_ne!(member.group_metadata().unwrap().member(), before.member());
}

/// The same in two steps: it learns that its id is not known while it owes an answer, so nothing is called lost, and the
/// answer is followed by an assignment that it gets without having an id.
#[test]
fn a_member_whose_id_was_lost_while_it_owed_an_answer_learns_that_it_was_taken_in_anew() {
    let broker = faust_broker::Broker::start(faust_broker::Config::default()).unwrap();
    let config = Config::new(broker.bootstrap_servers()).set("session.timeout.ms", "45000");
    let topic = faust_kafka::NewTopic::new("words", 2);
    for created in faust_kafka::Admin::new(&config).unwrap().create_topics(&[topic], SOON).unwrap()
    {
        created.unwrap();
    }
    let strategy = || Strategy::Assignor(Even::saying("expelled"));
    let often = config.clone().set("heartbeat.interval.ms", "100");
    let member = Member::new(&often, "group", Some("a"), &["words"], strategy()).unwrap();
    let next = || {
        let mut event = None;
        eventually("an event", || {
            event = member.poll(Duration::from_millis(20));
            event.is_some()
        });
        event.unwrap()
    };
    assert!(matches!(next(), MemberEvent::Assigned(all) if all.len() == 2));
    member.answer().unwrap();

    let seldom = config.set("heartbeat.interval.ms", "30000");
    let other = Joined::new(&seldom, "group", Some("b"), "words", strategy());
    let event = next();
    assert!(
        matches!(&event, MemberEvent::Revoked { partitions, lost: false } if partitions.len() == 1),
        "{event:?}"
    );
    // Of whoever asks: the other one may not have sent its first heartbeat.
    broker.faults().add("Heartbeat error=25 every=1".parse().unwrap());
    eventually("its id is not known any more", || member.group_metadata().is_err());
    broker.faults().clear();
    member.answer().unwrap();
    let mut anew = false;
    eventually("it is taken in anew", || {
        anew |= matches!(member.poll(Duration::from_millis(20)), Some(MemberEvent::Expelled));
        assert!(anew || member.group_metadata().is_err(), "what was done before can be committed");
        member.answer().unwrap();
        member.group_metadata().is_ok()
    });
    assert!(anew);
    drop(other);
}

#[test]
fn of_two_static_members_of_a_name_the_newer_wins() {
    let (topic, group) = (topic(2), unique("group"));
    let old = join(&group, Some("twin"), &topic, &Even::saying("old"));
    eventually("assigned", || old.count() == 2);
    let new = join(&group, Some("twin"), &topic, &Even::saying("new"));
    eventually("assigned", || new.count() == 2);
    eventually("the older hears of it", || {
        let events = old.events.lock().unwrap();
        events.iter().any(|event| {
            matches!(event, MemberEvent::Error(Error::Fatal { code: Code::FENCED_INSTANCE_ID, .. }))
        })
    });
    let left = Instant::now();
    assert!(matches!(old.member.leave(SOON), Err(Error::Fatal { .. })));
    assert!(left.elapsed() < Duration::from_secs(4), "{:?}", left.elapsed());
    thread::sleep(Duration::from_millis(700));
    assert_eq!(new.count(), 2, "who is fenced takes nothing along");
    assert!(new.member.group_metadata().is_ok());
}

#[test]
fn an_assignor_that_panics_is_reported_and_asked_again() {
    let (topic, group) = (topic(2), unique("group"));
    let assignor = Even::saying("clumsy");
    assignor.panics.store(true, Ordering::SeqCst);
    let joined = join(&group, None, &topic, &assignor);
    eventually("joined after all", || joined.count() == 2);
    eventually("reported", || {
        joined.events.lock().unwrap().iter().any(|event| {
            matches!(event, MemberEvent::Error(Error::Assignor { reason }) if reason.contains("as it was told to"))
        })
    });
}

#[test]
fn range_revokes_everything_first() {
    let (topic, group) = (topic(4), unique("group"));
    let join = |instance| Joined::new(&config(), &group, Some(instance), &topic, Strategy::Range);
    let first = join("a");
    eventually("alone", || first.count() == 4);
    let second = join("b");
    eventually("shared", || first.count() == 2 && second.count() == 2);
    let events = first.events.lock().unwrap().clone();
    assert!(events.iter().any(|event| {
        matches!(event, MemberEvent::Revoked { partitions, lost: false } if partitions.len() == 4)
    }));
    second.member.rejoin().unwrap();
    eventually("shared again", || second.revoked() && first.count() == 2 && second.count() == 2);
    second.leave();
    eventually("alone again", || first.count() == 4);
}

#[test]
fn a_pattern_finds_its_topics() {
    let (topic, group) = (topic(2), unique("group"));
    let joined = join(&group, None, &format!("^{topic}$"), &Even::saying("member"));
    eventually("found", || joined.count() == 2);
}

#[test]
fn a_member_without_a_broker_says_so_and_can_be_left() {
    let nowhere = Config::new("127.0.0.1:1").on_event(|_| ());
    let assignor: Arc<dyn Assignor> = Even::saying("lonely");
    let member =
        Member::new(&nowhere, "group", None, &["topic"], Strategy::Assignor(assignor)).unwrap();
    eventually("said", || {
        let event = member.poll(Duration::from_millis(100));
        matches!(event, Some(MemberEvent::Error(Error::Unreachable { .. })))
    });
    assert!(matches!(member.group_metadata(), Err(Error::NotJoined { .. })));
    member.answer().unwrap();
    let start = Instant::now();
    let _ = member.leave(Duration::from_secs(2));
    drop(member);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

/// librdkafka lets a client end when its leaving is answered, or after 5 s, or, after some rebalances, never.
#[test]
fn a_member_whose_leaving_is_not_answered_ends_all_the_same() {
    let broker = faust_broker::Broker::start(faust_broker::Config::default()).unwrap();
    let config = Config::new(broker.bootstrap_servers());
    let topic = faust_kafka::NewTopic::new("words", 2);
    for created in faust_kafka::Admin::new(&config).unwrap().create_topics(&[topic], SOON).unwrap()
    {
        created.unwrap();
    }
    let strategy = Strategy::Assignor(Even::saying("stays"));
    let member = Member::new(&config, "group", None, &["words"], strategy).unwrap();
    eventually("it has joined", || {
        member.poll(Duration::from_millis(20));
        member.answer().unwrap();
        member.group_metadata().is_ok()
    });
    broker.faults().add("LeaveGroup silence nth=1".parse().unwrap());
    let (ended, has_ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let late = member.leave(Duration::from_millis(100));
        drop(member);
        ended.send(late).unwrap();
    });
    let late = has_ended.recv_timeout(Duration::from_secs(4)).expect("it ends");
    assert!(matches!(late, Err(Error::TimedOut { .. })), "{late:?}");
}
