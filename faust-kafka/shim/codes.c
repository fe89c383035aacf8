/* Error codes as plain integers.
 *
 * A broker may send a code that librdkafka has no name for, and librdkafka hands it on. For C that is an integer like
 * any other; a Rust enum with an unknown value would be undefined behaviour. So no code crosses over as an enum. */

#include "rdkafka.h"

int faust_error_code(const rd_kafka_error_t *error) {
        return rd_kafka_error_code(error);
}

int faust_event_code(rd_kafka_event_t *event) {
        return rd_kafka_event_error(event);
}

int faust_topic_result_code(const rd_kafka_topic_result_t *result) {
        return rd_kafka_topic_result_error(result);
}

int faust_config_resource_code(const rd_kafka_ConfigResource_t *resource) {
        return rd_kafka_ConfigResource_error(resource);
}

int faust_metadata(rd_kafka_t *rk,
                   int all,
                   rd_kafka_topic_t *topic,
                   const struct rd_kafka_metadata **metadata,
                   int timeout_ms) {
        return rd_kafka_metadata(rk, all, topic, metadata, timeout_ms);
}

const char *faust_code_name(int code) {
        return rd_kafka_err2name((rd_kafka_resp_err_t)code);
}

const char *faust_code_text(int code) {
        return rd_kafka_err2str((rd_kafka_resp_err_t)code);
}

int faust_fatal_code(rd_kafka_t *rk, char *text, size_t size) {
        return rd_kafka_fatal_error(rk, text, size);
}

int faust_flush(rd_kafka_t *rk, int timeout_ms) {
        return rd_kafka_flush(rk, timeout_ms);
}

int faust_subscribe(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *topics) {
        return rd_kafka_subscribe(rk, topics);
}

int faust_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *partitions) {
        return rd_kafka_assign(rk, partitions);
}

/* How long a request may take as a whole and, for those that change topics, how long the brokers may take. */
int faust_request_timeout(rd_kafka_AdminOptions_t *options, int timeout_ms, int operation) {
        char text[256];
        rd_kafka_resp_err_t err = rd_kafka_AdminOptions_set_request_timeout(
            options, timeout_ms, text, sizeof(text));
        if (!err && operation)
                err = rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text,
                                                                  sizeof(text));
        return err;
}
