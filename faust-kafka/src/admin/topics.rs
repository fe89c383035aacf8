//! Topics: what there is, creating, deleting, settings.

use std::{
    ffi::{c_char, c_int},
    ptr,
    time::Duration,
};

use rdkafka_sys as sys;

use super::{
    Admin,
    request::{array, single},
};
use crate::{
    Code, Error, Result,
    native::{NativeError, c_name, millis, text},
};

unsafe extern "C" {
    fn faust_metadata(
        rk: *mut sys::rd_kafka_t,
        all: c_int,
        topic: *mut sys::rd_kafka_topic_t,
        metadata: *mut *const sys::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    fn faust_topic_result_code(result: *const sys::rd_kafka_topic_result_t) -> c_int;
    fn faust_config_resource_code(resource: *const sys::rd_kafka_ConfigResource_t) -> c_int;
}

/// A topic as the brokers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicInfo {
    /// The topic's name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many of them have no leader at the moment, so that they can be neither read nor written.
    pub leaderless: i32,
}

/// A topic that should be created.
///
/// ```
/// # use faust_kafka::NewTopic;
/// let topic = NewTopic::new("lines", 4).replicas(3).set("retention.ms", "86400000");
/// ```
#[derive(Debug, Clone)]
pub struct NewTopic {
    name: String,
    partitions: i32,
    replicas: i32,
    config: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the brokers' default number of replicas.
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, replicas: -1, config: Vec::new() }
    }

    /// How many brokers hold each partition.
    pub fn replicas(mut self, replicas: i32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets one of the topic's settings.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }
}

/// One setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// The setting's name.
    pub name: String,
    /// Its value; none where it is secret.
    pub value: Option<String>,
    /// Whether nobody set it for this topic.
    pub is_default: bool,
}

impl Admin {
    /// Every topic of the cluster that can be described (one that is just being deleted cannot).
    pub fn topics(&self, timeout: Duration) -> Result<Vec<TopicInfo>> {
        let described = self.describe(ptr::null_mut(), "listing the topics", timeout)?;
        Ok(described
            .into_iter()
            .filter_map(|(topic, code)| (code == Code::NONE).then_some(topic))
            .collect())
    }

    /// One topic; [`Error::UnknownTopic`] if there is none of that name. Never creates it.
    pub fn topic(&self, name: &str, timeout: Duration) -> Result<TopicInfo> {
        let c_name = c_name("topic", name)?;
        // SAFETY: the client is alive; no configuration means its default.
        let topic =
            unsafe { sys::rd_kafka_topic_new(self.0.ptr(), c_name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            return Err(Error::Argument {
                what: format!("the topic {name:?}"),
                reason: "it is not a topic's name".into(),
            });
        }
        let what = format!("describing the topic {name}");
        let described = self.describe(topic, &what, timeout);
        // SAFETY: our reference, destroyed once.
        unsafe { sys::rd_kafka_topic_destroy(topic) };
        match described?.into_iter().find(|(topic, _)| topic.name == name) {
            Some((topic, Code::NONE)) => Ok(topic),
            None | Some((_, Code::UNKNOWN_TOPIC_OR_PARTITION)) => {
                Err(Error::UnknownTopic { topic: name.to_owned() })
            }
            Some((_, code)) => Err(Error::Request { what, code, text: code.text() }),
        }
    }

    /// One topic, or all of them for NULL.
    fn describe(
        &self,
        topic: *mut sys::rd_kafka_topic_t,
        what: &str,
        timeout: Duration,
    ) -> Result<Vec<(TopicInfo, Code)>> {
        let mut metadata = ptr::null();
        let all = c_int::from(topic.is_null());
        // SAFETY: the client is alive, and so is the topic if there is one; librdkafka sets
        // `metadata` if it succeeds.
        match Code(unsafe {
            faust_metadata(self.0.ptr(), all, topic, &mut metadata, millis(timeout))
        }) {
            Code::NONE => {}
            // Without any broker librdkafka waits for one until the time is up, and then says that
            // there is none.
            Code::TIMED_OUT | Code::TRANSPORT => {
                return Err(Error::TimedOut { what: what.to_owned(), after: timeout });
            }
            code => return Err(Error::Request { what: what.to_owned(), code, text: code.text() }),
        }
        // SAFETY: the metadata is ours, its arrays are as long as it says, and it is destroyed
        // once, after the copy. Codes are read as integers: they may be ones that the enum in the
        // binding does not know.
        unsafe {
            let count = usize::try_from((*metadata).topic_cnt).unwrap_or(0);
            let topics = (0..count).map(|i| {
                let topic = (*metadata).topics.add(i);
                let partitions = (*topic).partition_cnt;
                let leaderless = (0..usize::try_from(partitions).unwrap_or(0))
                    .filter(|partition| (*(*topic).partitions.add(*partition)).leader < 0)
                    .count();
                let info = TopicInfo {
                    name: text((*topic).topic),
                    partitions,
                    leaderless: i32::try_from(leaderless).unwrap_or(i32::MAX),
                };
                (info, Code((&raw const (*topic).err).cast::<i32>().read()))
            });
            let topics = topics.collect();
            sys::rd_kafka_metadata_destroy(metadata);
            Ok(topics)
        }
    }

    /// Creates topics; one result each, [`Error::TopicExists`] among them.
    pub fn create_topics(&self, topics: &[NewTopic], timeout: Duration) -> Result<Vec<Result<()>>> {
        let mut news = Owned(Vec::new(), sys::rd_kafka_NewTopic_destroy);
        for topic in topics {
            news.0.push(native_topic(topic)?);
        }
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
        let answer = self.request("creating topics", kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied.
            unsafe {
                sys::rd_kafka_CreateTopics(
                    rk,
                    news.0.as_mut_ptr(),
                    news.0.len(),
                    options.ptr(),
                    queue,
                )
            };
        })?;
        // SAFETY: the answer is of this kind, and outlives its results.
        unsafe {
            let result = sys::rd_kafka_event_CreateTopics_result(answer.ptr());
            let results = array(|n| sys::rd_kafka_CreateTopics_result_topics(result, n));
            Ok(results.into_iter().map(|result| topic_result("creating", result)).collect())
        }
    }

    /// Deletes topics with all that is in them; one result each.
    pub fn delete_topics(&self, names: &[&str], timeout: Duration) -> Result<Vec<Result<()>>> {
        let mut topics = Owned(Vec::new(), sys::rd_kafka_DeleteTopic_destroy);
        for name in names {
            let name = c_name("topic", name)?;
            // SAFETY: the name is copied.
            topics.0.push(unsafe { sys::rd_kafka_DeleteTopic_new(name.as_ptr()) });
        }
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS;
        let answer = self.request("deleting topics", kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied.
            unsafe {
                sys::rd_kafka_DeleteTopics(
                    rk,
                    topics.0.as_mut_ptr(),
                    topics.0.len(),
                    options.ptr(),
                    queue,
                )
            };
        })?;
        // SAFETY: the answer is of this kind, and outlives its results.
        unsafe {
            let result = sys::rd_kafka_event_DeleteTopics_result(answer.ptr());
            let results = array(|n| sys::rd_kafka_DeleteTopics_result_topics(result, n));
            Ok(results.into_iter().map(|result| topic_result("deleting", result)).collect())
        }
    }

    /// The id of a topic: one that is made anew under the same name has another. `None` where the brokers give none.
    pub fn topic_id(&self, topic: &str, timeout: Duration) -> Result<Option<String>> {
        let name = c_name("topic", topic)?;
        let mut names = [name.as_ptr()];
        // SAFETY: the name is copied.
        let wanted = unsafe { sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1) };
        let _wanted = Owned(vec![wanted], sys::rd_kafka_TopicCollection_destroy);
        let what = format!("asking for the id of {topic}");
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let answer = self.request(&what, kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied.
            unsafe { sys::rd_kafka_DescribeTopics(rk, wanted, options.ptr(), queue) };
        })?;
        // SAFETY: the answer is of this kind, and outlives what is copied from it.
        unsafe {
            let result = sys::rd_kafka_event_DescribeTopics_result(answer.ptr());
            let described = array(|n| sys::rd_kafka_DescribeTopics_result_topics(result, n));
            let Some(&described) = described.first() else { return Ok(None) };
            match NativeError::code(sys::rd_kafka_TopicDescription_error(described)) {
                Code::UNKNOWN_TOPIC_OR_PARTITION => {
                    return Err(Error::UnknownTopic { topic: topic.to_owned() });
                }
                code => single(what, code, ptr::null())?,
            }
            let id = sys::rd_kafka_TopicDescription_topic_id(described);
            let high = sys::rd_kafka_Uuid_most_significant_bits(id);
            let low = sys::rd_kafka_Uuid_least_significant_bits(id);
            Ok((high != 0 || low != 0).then(|| format!("{high:016x}{low:016x}")))
        }
    }

    /// The settings of a topic.
    pub fn topic_config(&self, topic: &str, timeout: Duration) -> Result<Vec<ConfigEntry>> {
        let name = c_name("topic", topic)?;
        let of_topic = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        let mut wanted = Owned(Vec::new(), sys::rd_kafka_ConfigResource_destroy);
        // SAFETY: the name is copied.
        wanted.0.push(unsafe { sys::rd_kafka_ConfigResource_new(of_topic, name.as_ptr()) });
        let what = format!("reading the settings of {topic}");
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
        let answer = self.request(&what, kind, timeout, |rk, options, queue| {
            // SAFETY: all is alive, and what is asked is copied.
            unsafe {
                sys::rd_kafka_DescribeConfigs(rk, wanted.0.as_mut_ptr(), 1, options.ptr(), queue)
            };
        })?;
        // SAFETY: the answer is of this kind, and outlives what is copied from it.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConfigs_result(answer.ptr());
            let mut entries = Vec::new();
            for resource in array(|n| sys::rd_kafka_DescribeConfigs_result_resources(result, n)) {
                match Code(faust_config_resource_code(resource)) {
                    Code::UNKNOWN_TOPIC_OR_PARTITION => {
                        return Err(Error::UnknownTopic { topic: topic.to_owned() });
                    }
                    code => single(
                        what.clone(),
                        code,
                        sys::rd_kafka_ConfigResource_error_string(resource),
                    )?,
                }
                for entry in array(|n| sys::rd_kafka_ConfigResource_configs(resource, n)) {
                    let value = sys::rd_kafka_ConfigEntry_value(entry);
                    entries.push(ConfigEntry {
                        name: text(sys::rd_kafka_ConfigEntry_name(entry)),
                        value: (!value.is_null()).then(|| text(value)),
                        is_default: sys::rd_kafka_ConfigEntry_is_default(entry) != 0,
                    });
                }
            }
            Ok(entries)
        }
    }
}

/// Objects of a request, freed together.
struct Owned<T>(Vec<*mut T>, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        for &object in &self.0 {
            // SAFETY: ours, destroyed once.
            unsafe { (self.1)(object) };
        }
    }
}

fn native_topic(topic: &NewTopic) -> Result<*mut sys::rd_kafka_NewTopic_t> {
    let name = c_name("topic", &topic.name)?;
    let mut reason: [c_char; 512] = [0; 512];
    // SAFETY: the name is copied; `reason` has the given size and is a C string if there is no
    // topic.
    let native = unsafe {
        sys::rd_kafka_NewTopic_new(
            name.as_ptr(),
            topic.partitions,
            topic.replicas,
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    if native.is_null() {
        // SAFETY: as above.
        let reason = unsafe { text(reason.as_ptr()) };
        return Err(Error::Argument { what: format!("the topic {:?}", topic.name), reason });
    }
    let mut owned = Owned(vec![native], sys::rd_kafka_NewTopic_destroy);
    for (key, value) in &topic.config {
        let (key, value) = (c_name("setting", key)?, c_name("value", value)?);
        // SAFETY: the topic is alive; both are copied. It fails for nothing that a C string can
        // hold.
        unsafe { sys::rd_kafka_NewTopic_set_config(native, key.as_ptr(), value.as_ptr()) };
    }
    owned.0.clear();
    Ok(native)
}

/// # Safety
/// The result is alive.
unsafe fn topic_result(doing: &str, result: *const sys::rd_kafka_topic_result_t) -> Result<()> {
    // SAFETY: as promised.
    unsafe {
        let topic = text(sys::rd_kafka_topic_result_name(result));
        match Code(faust_topic_result_code(result)) {
            Code::TOPIC_ALREADY_EXISTS => Err(Error::TopicExists { topic }),
            Code::UNKNOWN_TOPIC_OR_PARTITION => Err(Error::UnknownTopic { topic }),
            code => {
                let said = sys::rd_kafka_topic_result_error_string(result);
                single(format!("{doing} the topic {topic}"), code, said)
            }
        }
    }
}
