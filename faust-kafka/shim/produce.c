/* Handing records of one partition to a producer together.
 *
 * rd_kafka_produceva() reads the clock twice for each record and takes four locks: those of the topic, of what is
 * under way, and of the partition; rd_kafka_produce_batch() does less of that, but knows no timestamps. This file looks
 * the partition up, counts and locks once a parcel. It takes plain records only, and only when nothing is in the way:
 * what it leaves is for rd_kafka_produceva(), which says what is wrong with it. */

#include "rdkafka_int.h"
#include "rdkafka_interceptor.h"
#include "rdkafka_msg.h"
#include "rdkafka_partition.h"
#include "rdkafka_topic.h"
#include "rdkafka_txnmgr.h"

/* The most that are taken at a time (mirrored in src/producer/parcel.rs). */
#define FAUST_PARCEL 64

/* A record to send (mirrored in src/producer/parcel.rs). */
struct faust_record {
        const void *key;
        const void *value;
        size_t key_len;
        size_t value_len;
        int64_t timestamp; /* in milliseconds; 0 for now */
};

/* A message with copies of a record's key and value behind it. It is counted as under way already. */
static rd_kafka_msg_t *message(rd_kafka_topic_t *topic,
                               int32_t partition,
                               const struct faust_record *record,
                               void *opaque,
                               rd_ts_t now) {
        rd_kafka_msg_t *msg = rd_malloc(sizeof(*msg) + record->value_len + record->key_len);
        char *copy          = (char *)(msg + 1);

        memset(msg, 0, sizeof(*msg));
        msg->rkm_flags = RD_KAFKA_MSG_F_PRODUCER | RD_KAFKA_MSG_F_FREE_RKM | RD_KAFKA_MSG_F_COPY |
                         RD_KAFKA_MSG_F_ACCOUNT;
        msg->rkm_rkmessage.rkt = rd_kafka_topic_keep(topic);
        msg->rkm_partition     = partition;
        msg->rkm_opaque        = opaque;
        msg->rkm_broker_id     = -1;
        msg->rkm_offset        = RD_KAFKA_OFFSET_INVALID;
        msg->rkm_status        = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        msg->rkm_timestamp     = record->timestamp ? record->timestamp : rd_uclock() / 1000;
        msg->rkm_tstype        = RD_KAFKA_TIMESTAMP_CREATE_TIME;
        msg->rkm_ts_enq        = now;
        msg->rkm_ts_timeout    = topic->rkt_conf.message_timeout_ms == 0
                                     ? INT64_MAX
                                     : now + (int64_t)topic->rkt_conf.message_timeout_ms * 1000;
        if (record->value) {
                msg->rkm_payload = memcpy(copy, record->value, record->value_len);
                msg->rkm_len     = record->value_len;
                copy += record->value_len;
        }
        if (record->key) {
                msg->rkm_key     = memcpy(copy, record->key, record->key_len);
                msg->rkm_key_len = record->key_len;
        }
        rd_kafka_interceptors_on_send(topic->rkt_rk, &msg->rkm_rkmessage);
        return msg;
}

/* Queues records in their order and tells how many: all of them, or those in front of one that is too large, or none. */
size_t faust_produce(rd_kafka_topic_t *app_topic,
                     int32_t partition,
                     const struct faust_record *records,
                     size_t count,
                     void *opaque) {
        rd_kafka_topic_t *topic   = rd_kafka_topic_proper(app_topic);
        rd_kafka_t *rk            = topic->rkt_rk;
        rd_kafka_toppar_t *toppar = NULL;
        rd_kafka_q_t *sleeper     = NULL;
        rd_kafka_msg_t *messages[FAUST_PARCEL];
        rd_ts_t now;
        size_t taken, bytes = 0, i;

        if (rd_kafka_fatal_error_code(rk) || !rd_kafka_txn_may_enq_msg(rk))
                return 0;
        for (taken = 0; taken < count && taken < FAUST_PARCEL; taken++) {
                const struct faust_record *record = &records[taken];
                if (record->value_len > INT32_MAX || record->key_len > INT32_MAX ||
                    rd_kafka_msg_max_wire_size(record->key_len, record->value_len, 0) >
                        (size_t)rk->rk_conf.max_msg_size)
                        break;
                bytes += record->value_len;
        }
        if (taken == 0)
                return 0;

        /* The topic stays as it is until all are queued. */
        rd_kafka_topic_rdlock(topic);
        if (topic->rkt_state == RD_KAFKA_TOPIC_S_EXISTS && partition >= 0 &&
            partition < topic->rkt_partition_cnt &&
            topic->rkt_conf.queuing_strategy == RD_KAFKA_QUEUE_FIFO)
                toppar = rd_kafka_toppar_get(topic, partition, 0);
        if (!toppar || rd_kafka_curr_msgs_add(rk, (unsigned int)taken, bytes, 0, NULL)) {
                rd_kafka_topic_rdunlock(topic);
                if (toppar)
                        rd_kafka_toppar_destroy(toppar);
                return 0;
        }

        now = rd_clock();
        for (i = 0; i < taken; i++)
                messages[i] = message(topic, partition, &records[i], opaque, now);

        rd_atomic64_add(&toppar->rktp_c.producer_enq_msgs, taken);
        rd_kafka_toppar_lock(toppar);
        for (i = 0; i < taken; i++) {
                messages[i]->rkm_msgid = ++toppar->rktp_msgid;
                rd_kafka_msgq_enq(&toppar->rktp_msgq, messages[i]);
                /* For each, because it is the first one in the queue that may have to wake the broker's thread. */
                if (rd_kafka_msgq_may_wakeup(&toppar->rktp_msgq, now) && toppar->rktp_msgq_wakeup_q) {
                        toppar->rktp_msgq.rkmq_wakeup.signalled = rd_true;
                        sleeper                                 = toppar->rktp_msgq_wakeup_q;
                        rd_kafka_q_keep(sleeper);
                }
        }
        rd_kafka_toppar_unlock(toppar);
        rd_kafka_topic_rdunlock(topic);

        if (sleeper) {
                rd_kafka_q_yield(sleeper);
                rd_kafka_q_destroy(sleeper);
        }
        if (rd_kafka_is_transactional(rk))
                rd_kafka_txn_add_partition(toppar);
        rd_kafka_toppar_destroy(toppar);
        return taken;
}
