//! What calls about topics and offsets promise.

#[cfg(test)]
mod support;

use std::{
    thread,
    time::{Duration, Instant},
};

use faust_broker::Broker;
use faust_kafka::{
    Admin, Commit, Config, Error, Isolation, NewTopic, OffsetSpec, Producer, Record, TopicPartition,
};
use support::{SOON, admin, config, fill, topic, unique};

#[test]
fn topics_are_created_described_and_deleted_with_a_result_each() {
    let admin = admin();
    let (new, old) = (unique("new"), topic(1));
    let topics = [
        NewTopic::new(&new, 3).replicas(1).set("cleanup.policy", "compact"),
        NewTopic::new(&old, 3),
    ];
    let created = admin.create_topics(&topics, SOON).unwrap();
    assert!(created[0].is_ok(), "{created:?}");
    assert!(
        matches!(&created[1], Err(Error::TopicExists { topic }) if *topic == old),
        "{created:?}"
    );
    support::eventually("described", || {
        admin.topic(&new, SOON).is_ok_and(|info| info.partitions == 3 && info.leaderless == 0)
    });
    let all = admin.topics(SOON).unwrap();
    assert!(all.iter().any(|info| info.name == new) && all.iter().any(|info| info.name == old));

    let settings = admin.topic_config(&new, SOON).unwrap();
    let setting = |name: &str| settings.iter().find(|entry| entry.name == name).unwrap();
    assert_eq!(setting("cleanup.policy").value.as_deref(), Some("compact"));
    assert!(!setting("cleanup.policy").is_default);

    let gone = unique("gone");
    let deleted = admin.delete_topics(&[&new, &gone], SOON).unwrap();
    assert!(deleted[0].is_ok(), "{deleted:?}");
    assert!(
        matches!(&deleted[1], Err(Error::UnknownTopic { topic }) if *topic == gone),
        "{deleted:?}"
    );
    support::eventually("gone", || {
        matches!(admin.topic(&new, SOON), Err(Error::UnknownTopic { .. }))
    });
    assert!(matches!(admin.topic_config(&gone, SOON), Err(Error::UnknownTopic { .. })));
}

#[test]
fn a_topic_that_is_made_anew_has_another_id() {
    let (admin, name) = (admin(), unique("topic"));
    let id = || admin.topic_id(&name, SOON).ok().flatten();
    assert!(matches!(admin.topic_id(&name, SOON), Err(Error::UnknownTopic { .. })));
    admin.create_topics(&[NewTopic::new(&name, 1)], SOON).unwrap().remove(0).unwrap();
    // A broker may show a moment later what was created.
    support::eventually("the topic is there", || id().is_some());
    let first = id();
    assert_eq!(id(), first);
    admin.delete_topics(&[&name], SOON).unwrap().remove(0).unwrap();
    support::eventually("the topic is gone", || id().is_none());
    admin.create_topics(&[NewTopic::new(&name, 1)], SOON).unwrap().remove(0).unwrap();
    support::eventually("the topic is there again", || id().is_some());
    assert_ne!(id(), first);
}

#[test]
fn a_topic_with_a_setting_that_is_not_one_is_refused() {
    let topics = [NewTopic::new(unique("bad"), 1).set("cleanup.policy", "polish")];
    let error = admin().create_topics(&topics, SOON).unwrap().remove(0).unwrap_err();
    assert!(matches!(&error, Error::Request { what, .. } if what.contains("bad-")), "{error}");
}

/// The leaders of all these are looked for at once, and each answer tells something about the others.
#[test]
fn many_threads_ask_for_the_offsets_of_topics_that_the_client_does_not_know_yet() {
    let topics: Vec<String> = (0..200).map(|_| unique("many")).collect();
    let new: Vec<_> = topics.iter().map(|topic| NewTopic::new(topic, 1)).collect();
    for created in admin().create_topics(&new, SOON).unwrap() {
        created.unwrap();
    }
    let last = topics.last().unwrap();
    support::eventually("the topics are known", || {
        admin().topic(last, SOON).is_ok_and(|info| info.leaderless == 0)
    });
    let admin = &admin();
    thread::scope(|scope| {
        for some in topics.chunks(25) {
            scope.spawn(move || {
                for topic in some {
                    let spec = [(TopicPartition::new(topic, 0), OffsetSpec::Latest)];
                    // A leader that was just named may not know it yet.
                    support::eventually("the leader leads", || {
                        let ends = admin.list_offsets(&spec, Isolation::ReadUncommitted, SOON);
                        matches!(ends.unwrap()[..], [Ok(Some(0))])
                    });
                }
            });
        }
    });
}

#[test]
fn asking_about_a_topic_does_not_create_it() {
    let (admin, name) = (admin(), unique("nothing"));
    for _ in 0..2 {
        let error = admin.topic(&name, SOON).unwrap_err();
        assert!(matches!(&error, Error::UnknownTopic { topic } if *topic == name), "{error}");
    }
}

#[test]
fn offsets_of_many_partitions_come_in_one_call() {
    let topic = topic(3);
    let producer = Producer::new(&config()).unwrap();
    let handle = producer.topic(&topic).unwrap();
    for time in [1_000, 2_000, 3_000] {
        let record = Record { partition: 1, timestamp: Some(time), ..Record::default() };
        producer.send(&handle, &record, None).unwrap();
    }
    producer.flush(SOON).unwrap();
    let admin = admin();
    let ask = |specs: &[(i32, OffsetSpec)]| {
        let specs: Vec<_> = specs
            .iter()
            .map(|(partition, spec)| (TopicPartition::new(&topic, *partition), *spec))
            .collect();
        let found = admin.list_offsets(&specs, Isolation::ReadUncommitted, SOON).unwrap();
        found.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let (earliest, latest) = (OffsetSpec::Earliest, OffsetSpec::Latest);
    assert_eq!(ask(&[(2, latest), (1, latest), (0, earliest)]), [Some(0), Some(3), Some(0)]);
    assert_eq!(ask(&[(1, OffsetSpec::Time(1_500)), (0, OffsetSpec::Time(0))]), [Some(1), None]);
    assert_eq!(ask(&[(1, OffsetSpec::Time(9_000))]), [None]);
    assert_eq!(ask(&[]), []);

    let missing = TopicPartition::new(unique("missing"), 0);
    let specs = [(missing, latest), (TopicPartition::new(&topic, 1), latest)];
    let found = admin.list_offsets(&specs, Isolation::ReadCommitted, SOON).unwrap();
    assert!(matches!(found[0], Err(Error::UnknownTopic { .. })), "{found:?}");
    assert!(matches!(found[1], Ok(Some(3))), "{found:?}");
}

#[test]
fn records_before_an_offset_are_deleted() {
    let topic = topic(2);
    fill(&topic, 0, (0..10).map(|n| n.to_string()));
    let admin = admin();
    let before = [(TopicPartition::new(&topic, 0), 4), (TopicPartition::new(&topic, 1), 0)];
    let first = admin.delete_records(&before, SOON).unwrap();
    assert_eq!(first.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [4, 0]);
    let earliest = [(TopicPartition::new(&topic, 0), OffsetSpec::Earliest)];
    let found = admin.list_offsets(&earliest, Isolation::ReadCommitted, SOON).unwrap();
    assert_eq!(found[0].as_ref().unwrap(), &Some(4));
    let beyond = [(TopicPartition::new(&topic, 0), 100)];
    assert!(admin.delete_records(&beyond, SOON).unwrap().remove(0).is_err());
}

#[test]
fn commits_of_a_group_come_back_in_the_order_they_are_asked_for() {
    let (topic, group, admin) = (topic(3), unique("group"), admin());
    let place = |partition| TopicPartition::new(&topic, partition);
    let commits = [
        Commit { partition: place(2), offset: 20, metadata: "{\"cut\":7}".to_owned() },
        Commit { partition: place(0), offset: 0, metadata: String::new() },
    ];
    admin.commit(&group, &commits, SOON).unwrap();
    let asked = [place(0), place(1), place(2)];
    let found = admin.committed(&group, &asked, true, SOON).unwrap();
    let found: Vec<_> =
        found.iter().map(|one| one.as_ref().map(|c| (c.offset, c.metadata.as_str()))).collect();
    assert_eq!(found, [Some((0, "")), None, Some((20, "{\"cut\":7}"))]);
    assert_eq!(admin.committed(&unique("group"), &asked, true, SOON).unwrap(), [None, None, None]);
}

#[test]
fn without_a_broker_every_call_returns_in_time() {
    let admin = Admin::new(&Config::new("127.0.0.1:1").on_event(|_| ())).unwrap();
    let (timeout, start) = (Duration::from_millis(400), Instant::now());
    let place = TopicPartition::new("topic", 0);
    let commit = Commit { partition: place.clone(), offset: 1, metadata: String::new() };
    let errors = [
        admin.topics(timeout).unwrap_err(),
        admin.topic("topic", timeout).unwrap_err(),
        admin.create_topics(&[NewTopic::new("topic", 1)], timeout).unwrap_err(),
        admin.delete_topics(&["topic"], timeout).unwrap_err(),
        admin.delete_records(&[(place.clone(), 1)], timeout).unwrap_err(),
        admin.topic_config("topic", timeout).unwrap_err(),
        admin
            .list_offsets(&[(place.clone(), OffsetSpec::Latest)], Isolation::ReadCommitted, timeout)
            .unwrap_err(),
        admin.committed("group", &[place], true, timeout).unwrap_err(),
        admin.commit("group", &[commit], timeout).unwrap_err(),
    ];
    for error in &errors {
        assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    }
    assert!(start.elapsed() < Duration::from_millis(1_500) * errors.len() as u32);
}

/// librdkafka answers a question whose time has run out once more, when its coordinator comes back, to who is no more.
#[test]
fn questions_to_a_coordinator_that_was_away_too_long_do_no_harm_when_it_comes_back() {
    let broker = Broker::start(faust_broker::Config::default()).unwrap();
    let port = broker.address().port();
    let admin = Admin::new(&Config::new(broker.bootstrap_servers()).on_event(|_| ())).unwrap();
    let of = [TopicPartition::new("words", 0)];
    let commit = Commit { partition: of[0].clone(), offset: 1, metadata: String::new() };
    let too_short = Duration::from_millis(200);
    admin.committed("group", &of, true, SOON).unwrap();
    broker.stop();
    for _ in 0..4 {
        admin.committed("group", &of, true, too_short).expect_err("nobody answers");
        admin
            .commit("group", std::slice::from_ref(&commit), too_short)
            .expect_err("nobody answers");
    }
    let broker = Broker::start(faust_broker::Config { port, ..Default::default() }).unwrap();
    support::eventually("it answers", || admin.committed("group", &of, true, too_short).is_ok());
    assert_eq!(
        admin.committed("group", &of, true, SOON).unwrap(),
        [None],
        "what is late is not sent"
    );
    drop(broker);
}

/// librdkafka forgets that the leader's answer was lost, and hands out its own mark for "no offset", without an error.
#[test]
fn offsets_whose_answer_is_lost_are_an_error_and_not_missing() {
    let broker = Broker::start(faust_broker::Config::default()).unwrap();
    let config = Config::new(broker.bootstrap_servers()).on_event(|_| ());
    let admin = Admin::new(&config).unwrap();
    admin.create_topics(&[NewTopic::new("words", 1)], SOON).unwrap();
    let ask = |spec| {
        let specs = [(TopicPartition::new("words", 0), spec)];
        admin
            .list_offsets(&specs, Isolation::ReadUncommitted, SOON)
            .and_then(|found| found.into_iter().next().unwrap())
    };
    support::eventually("it has a leader", || ask(OffsetSpec::Latest).is_ok());
    for spec in [OffsetSpec::Latest, OffsetSpec::Earliest, OffsetSpec::Time(1)] {
        broker.faults().add("ListOffsets lose-answer nth=1".parse().unwrap());
        let lost = ask(spec).expect_err("the answer is lost");
        assert!(!lost.is_lasting(), "{lost}");
        support::eventually("it answers again", || ask(spec).is_ok());
    }
    assert_eq!(ask(OffsetSpec::Time(1)).unwrap(), None, "no record is as young");
}

/// Whatever is asked: an answer that is lost is an error, and never one that says "none".
#[test]
fn no_call_takes_a_lost_answer_for_one() {
    let broker = Broker::start(faust_broker::Config::default()).unwrap();
    let config = Config::new(broker.bootstrap_servers()).on_event(|_| ());
    let admin = Admin::new(&config).unwrap();
    admin.create_topics(&[NewTopic::new("words", 1)], SOON).unwrap();
    let place = TopicPartition::new("words", 0);
    let commit = Commit { partition: place.clone(), offset: 7, metadata: "here".into() };
    admin.commit("group", &[commit], SOON).unwrap();
    let of = [place.clone()];
    let committed = || admin.committed("group", &of, true, SOON).map(|found| found[0].is_some());
    let settings = || admin.topic_config("words", SOON).map(|settings| !settings.is_empty());
    let deleted = || admin.delete_records(&[(place.clone(), 0)], SOON)?.remove(0).map(|at| at == 0);
    type Call<'a> = &'a dyn Fn() -> Result<bool, Error>;
    let calls: [Call<'_>; 3] = [&committed, &settings, &deleted];
    for (api, call) in ["OffsetFetch", "DescribeConfigs", "DeleteRecords"].into_iter().zip(calls) {
        support::eventually(api, || call().is_ok_and(|there| there));
        broker.faults().add(format!("{api} lose-answer nth=1").parse().unwrap());
        match call() {
            Ok(there) => assert!(there, "{api}: what it made of a lost answer"),
            Err(error) => assert!(!error.is_lasting(), "{api}: {error}"),
        }
    }
}
