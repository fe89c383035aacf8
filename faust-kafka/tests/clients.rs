//! What all clients have in common: settings, reports, names.

#[cfg(test)]
mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex, mpsc},
};

use faust_kafka::{
    Admin, Config, Error, Member, Producer, Reader, Strategy, TransactionalProducer,
};
use support::{SOON, admin};

#[test]
fn a_setting_that_does_not_exist_is_named() {
    let error = Producer::new(&Config::new("localhost:1").set("linger.mz", "5")).unwrap_err();
    let Error::Config { key, value, .. } = &error else { panic!("{error}") };
    assert_eq!((key.as_str(), value.as_str()), ("linger.mz", "5"));
    assert!(error.to_string().contains("linger.mz"), "{error}");
}

#[test]
fn a_value_that_is_not_one_is_named_unless_it_is_secret() {
    let error =
        Reader::data(&Config::new("localhost:1").set("check.crcs", "maybe"), "g").unwrap_err();
    assert!(matches!(&error, Error::Config { value, .. } if value == "maybe"), "{error}");
    let config = Config::new("localhost:1").set("sasl.passwordd", "hunter2");
    let error = Admin::new(&config).unwrap_err();
    assert!(!format!("{error} {error:?} {config:?}").contains("hunter2"), "{error}");
}

#[test]
fn what_is_set_wins_over_what_a_client_starts_from() {
    // A producer whose queue takes one record only.
    let producer = Producer::new(
        &support::config().set("queue.buffering.max.messages", "1").set("linger.ms", "1000"),
    )
    .unwrap();
    let topic = producer.topic("any").unwrap();
    let record = faust_kafka::Record::default();
    producer.send(&topic, &record, None).unwrap();
    assert!(producer.send(&topic, &record, None).is_err());
}

#[test]
fn clients_of_one_configuration_all_have_what_it_sets() {
    let config = Config::new("localhost:1")
        .set("queue.buffering.max.messages", "1")
        .set("linger.ms", "1000");
    // Each takes one record only, also the third.
    for _ in 0..3 {
        let _reader = Reader::data(&config, "group").unwrap();
        let producer = Producer::new(&config).unwrap();
        let topic = producer.topic("any").unwrap();
        let record = faust_kafka::Record::default();
        producer.send(&topic, &record, None).unwrap();
        assert!(producer.send(&topic, &record, None).is_err());
    }
}

#[test]
fn settings_that_contradict_each_other_are_an_error() {
    let config = Config::new("localhost:1").set("enable.idempotence", "true").set("acks", "0");
    assert!(matches!(Producer::new(&config), Err(Error::Client { .. })));
}

#[test]
fn every_kind_of_client_says_that_no_broker_can_be_reached() {
    let (said, heard) = mpsc::channel();
    let config = Config::new("127.0.0.1:1").on_event(move |event| {
        if let Error::Unreachable { .. } = event.error {
            let _ = said.send(event.client.clone());
        }
    });
    let _reader = Reader::data(&config, "group").unwrap();
    assert!(heard.recv_timeout(SOON).unwrap().contains("consumer"));
    let _producer = Producer::new(&config).unwrap();
    let _transactional = TransactionalProducer::new(&config, "id").unwrap();
    while !heard.recv_timeout(SOON).unwrap().contains("producer") {}
}

#[test]
fn a_handler_that_panics_does_no_harm() {
    let (said, heard) = mpsc::channel();
    let config = Config::new("127.0.0.1:1").on_event(move |_| {
        let _ = said.send(());
        panic!("as it was told to");
    });
    let _first = Producer::new(&config).unwrap();
    heard.recv_timeout(SOON).unwrap();
    // It is still there, and goes without a hang.
}

#[test]
fn names_with_a_zero_byte_are_refused() {
    let config = support::config();
    let zero = "a\0b";
    assert!(matches!(admin().topic(zero, SOON), Err(Error::Argument { .. })));
    assert!(Reader::data(&config, "group").unwrap().partition(zero, 0, 0).is_err());
    assert!(Producer::new(&config).unwrap().topic(zero).is_err());
    assert!(Member::new(&config, "group", None, &[zero], Strategy::Range).is_err());
    assert!(Reader::data(&config, zero).is_err());
}

#[test]
fn what_librdkafka_logs_goes_to_tracing_and_a_dead_broker_is_no_news_there() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer({
            let lines = lines.clone();
            move || lines.clone()
        })
        .finish();
    // librdkafka's threads log too, so this is for the whole process.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let config = Config::new("127.0.0.1:1").set("debug", "broker").on_event(|_| ());
    let _reader = Reader::data(&config, "group").unwrap();
    support::eventually("logged", || {
        lines.find("Connection refused").is_some() && lines.find("Broker changed state").is_some()
    });
    let refused = lines.find("Connection refused").unwrap();
    assert!(refused.contains("DEBUG librdkafka"), "{refused}");
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn find(&self, what: &str) -> Option<String> {
        let written = self.0.lock().ok()?;
        let written = String::from_utf8_lossy(&written);
        written.lines().find(|line| line.contains(what)).map(str::to_owned)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut written) = self.0.lock() {
            written.extend_from_slice(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
