/* Reading a partition's queue in batches, with less to do for each message than librdkafka's own calls have.
 *
 * rd_kafka_consume_batch_queue() takes the queue's lock once a message, counts a reference to the topic that nobody here
 * looks at, and leaves timestamp and headers to a call each. This file takes the lock once a batch, and lays out what
 * the engine looks at side by side, so that librdkafka's own structures, some hundred bytes apart, need not be touched
 * again. Everything that is not a plain record is left to rd_kafka_consume_batch_queue(). */

#include "rdkafka_int.h"
#include "rdkafka_msg.h"
#include "rdkafka_offset.h"
#include "rdkafka_queue.h"

/* Whether an entry of the queue is a record that was not made obsolete by a seek or a new assignment. */
static int is_record(rd_kafka_op_t *op) {
        return op->rko_type == RD_KAFKA_OP_FETCH && !op->rko_err && op->rko_rktp &&
               !(op->rko_u.fetch.rkm.rkm_flags & RD_KAFKA_MSG_F_CONTROL) &&
               !rd_kafka_op_version_outdated(op, 0);
}

/* Takes the records at the front of a queue, at most `max`. Each is the caller's, to be destroyed by
 * rd_kafka_message_destroy(); its `rkt` is NULL. `caught_up` tells whether they end where the log ended when it was
 * last fetched: an end-of-partition entry comes only when a fetch finds nothing, which under load is hardly ever. */
size_t faust_take(rd_kafka_queue_t *queue,
                  rd_kafka_message_t **messages,
                  size_t max,
                  int *caught_up) {
        rd_kafka_q_t *q = queue->rkqu_q;
        rd_kafka_op_t *op;
        size_t count = 0;
        int empty;

        mtx_lock(&q->rkq_lock);
        while (!q->rkq_fwdq && count < max && (op = TAILQ_FIRST(&q->rkq_q)) && is_record(op)) {
                rd_kafka_q_deq0(q, op);
                messages[count]           = &op->rko_u.fetch.rkm.rkm_rkmessage;
                messages[count]->_private = op;
                count++;
        }
        empty = TAILQ_EMPTY(&q->rkq_q);
        rd_kafka_q_mark_served(q);
        mtx_unlock(&q->rkq_lock);

        *caught_up = 0;
        if (count > 0) {
                const rd_kafka_message_t *last = messages[count - 1];
                rd_kafka_toppar_t *toppar;
                op     = last->_private;
                toppar = op->rko_rktp;

                rd_kafka_toppar_lock(toppar);
                /* Behind the last record there may be markers of transactions; the fetcher knows. */
                *caught_up = empty && (last->offset + 1 >= toppar->rktp_ls_offset ||
                                       toppar->rktp_offsets.fetch_pos.offset >=
                                           toppar->rktp_ls_offset);
                rd_kafka_toppar_unlock(toppar);

                rd_kafka_update_app_pos(
                    queue->rkqu_rk, toppar,
                    RD_KAFKA_FETCH_POS(last->offset + 1,
                                       op->rko_u.fetch.rkm.rkm_u.consumer.leader_epoch),
                    RD_DO_LOCK);
        }
        return count;
}

/* What the engine looks at (mirrored in src/reader/batch.rs). */
struct faust_message {
        int64_t offset;
        int64_t timestamp;
        const void *key;
        const void *value;
        size_t key_len;
        size_t value_len;
        int err;
        int8_t timestamp_type;
        int8_t has_headers;
};

void faust_messages(rd_kafka_message_t *const *messages,
                    size_t count,
                    struct faust_message *out) {
        size_t i;
        for (i = 0; i < count; i++) {
                const rd_kafka_message_t *message = messages[i];
                const rd_kafka_msg_t *msg         = rd_kafka_message2msg((rd_kafka_message_t *)message);
                out[i].offset                     = message->offset;
                out[i].key                        = message->key;
                out[i].value                      = message->payload;
                out[i].key_len                    = message->key_len;
                out[i].value_len                  = message->len;
                out[i].err                        = message->err;
                out[i].timestamp                  = msg->rkm_timestamp;
                out[i].timestamp_type             = (int8_t)msg->rkm_tstype;
                /* Headers that are not parsed begin with their number, as a varint. */
                out[i].has_headers =
                    !message->err && RD_KAFKAP_BYTES_LEN(&msg->rkm_u.consumer.binhdrs) > 0 &&
                    *(const char *)msg->rkm_u.consumer.binhdrs.data != 0;
        }
}
