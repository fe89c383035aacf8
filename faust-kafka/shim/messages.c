/* Reading a partition's queue in batches, with less to do for each message than librdkafka's own calls have.
 *
 * rd_kafka_consume_batch_queue() takes the queue's lock once a message, counts a reference to the topic that nobody here
 * looks at, and leaves timestamp and headers to a call each; what it gives keeps four hundred bytes a message until the
 * message is destroyed, with two atomic steps. This file takes the lock once a batch, lays out what the engine looks at
 * side by side, and lets go of librdkafka's own structures at once, while they are in the processor's cache: what stays
 * is a reference to each fetched response that the messages lie in. Everything that is not a plain record is left to
 * rd_kafka_consume_batch_queue(). */

#include "rdkafka_int.h"
#include "rdkafka_msg.h"
#include "rdkafka_offset.h"
#include "rdkafka_partition.h"
#include "rdkafka_queue.h"

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

/* Whether an entry of the queue is a record that was not made obsolete by a seek or a new assignment. */
static int is_record(rd_kafka_op_t *op) {
        return op->rko_type == RD_KAFKA_OP_FETCH && !op->rko_err && op->rko_rktp &&
               !(op->rko_u.fetch.rkm.rkm_flags & RD_KAFKA_MSG_F_CONTROL) &&
               !rd_kafka_op_version_outdated(op, 0);
}

static void look(const rd_kafka_message_t *message, struct faust_message *out) {
        const rd_kafka_msg_t *msg = rd_kafka_message2msg((rd_kafka_message_t *)message);

        out->offset         = message->offset;
        out->key            = message->key;
        out->value          = message->payload;
        out->key_len        = message->key_len;
        out->value_len      = message->len;
        out->err            = message->err;
        out->timestamp      = msg->rkm_timestamp;
        out->timestamp_type = (int8_t)msg->rkm_tstype;
        /* Headers that are not parsed begin with their number, as a varint. */
        out->has_headers = !message->err &&
                           RD_KAFKAP_BYTES_LEN(&msg->rkm_u.consumer.binhdrs) > 0 &&
                           *(const char *)msg->rkm_u.consumer.binhdrs.data != 0;
}

/* Whether a record has nothing of its own: all of it lies in the response, which nobody waits for. */
static int is_plain(const rd_kafka_op_t *op, const struct faust_message *contents) {
        const rd_kafka_buf_t *response = op->rko_u.fetch.rkbuf;
        const int own                  = RD_KAFKA_MSG_F_FREE | RD_KAFKA_MSG_F_FREE_RKM;

        return !contents->has_headers && response && !response->rkbuf_cb &&
               !response->rkbuf_replyq.q && !(op->rko_u.fetch.rkm.rkm_flags & own);
}

/* Lets go of references that are not the last one. */
static void let_go(rd_refcnt_t *references, int count) {
#ifndef RD_REFCNT_USE_LOCKS
        if (count > 0)
                rd_atomic32_sub(references, count);
#else
        while (count-- > 0)
                rd_refcnt_sub(references);
#endif
}

/* Takes the records at the front of a queue, at most `max`, with what is in them. A record with headers also comes as a
 * message, to be destroyed by rd_kafka_message_destroy(), whose `rkt` is NULL; in place of another one there is NULL.
 * `responses`, with room for `max`, are those that records lie in, each with a reference that is the caller's. `caught_up`
 * tells whether the records end where the log ended when it was last fetched: an end-of-partition entry comes only when
 * a fetch finds nothing, which under load is hardly ever. */
size_t faust_take(rd_kafka_queue_t *queue,
                  rd_kafka_message_t **messages,
                  struct faust_message *contents,
                  size_t max,
                  rd_kafka_buf_t **responses,
                  size_t *response_count,
                  int *caught_up) {
        rd_kafka_q_t *q           = queue->rkqu_q;
        rd_kafka_toppar_t *toppar = NULL; /* Of all records, with a reference that is ours. */
        size_t count = 0, held = 0;
        int more_toppar = 0, more_response = 0; /* References that are ours too. */
        int32_t leader_epoch = -1;
        rd_kafka_op_t *op;
        int empty;

        mtx_lock(&q->rkq_lock);
        while (!q->rkq_fwdq && count < max && (op = TAILQ_FIRST(&q->rkq_q)) && is_record(op) &&
               (!toppar || op->rko_rktp == toppar)) {
                rd_kafka_message_t *message = &op->rko_u.fetch.rkm.rkm_rkmessage;

                rd_kafka_q_deq0(q, op);
                look(message, &contents[count]);
                leader_epoch = op->rko_u.fetch.rkm.rkm_u.consumer.leader_epoch;
                if (!toppar)
                        rd_kafka_toppar_keep(toppar = op->rko_rktp);
                if (is_plain(op, &contents[count])) {
                        rd_kafka_buf_t *response = op->rko_u.fetch.rkbuf;

                        if (held > 0 && responses[held - 1] == response) {
                                more_response++;
                        } else {
                                if (held > 0)
                                        let_go(&responses[held - 1]->rkbuf_refcnt, more_response);
                                more_response     = 0;
                                responses[held++] = response;
                        }
                        more_toppar++;
                        op->rko_u.fetch.rkbuf = NULL;
                        op->rko_rktp          = NULL;
                        rd_kafka_op_destroy(op);
                        message = NULL;
                } else {
                        message->_private = op;
                }
                messages[count++] = message;
        }
        empty = TAILQ_EMPTY(&q->rkq_q);
        rd_kafka_q_mark_served(q);
        mtx_unlock(&q->rkq_lock);

        if (held > 0)
                let_go(&responses[held - 1]->rkbuf_refcnt, more_response);
        *response_count = held;
        *caught_up      = 0;
        if (toppar) {
                const int64_t next = contents[count - 1].offset + 1;

                rd_kafka_toppar_lock(toppar);
                /* Behind the last record there may be markers of transactions; the fetcher knows. */
                *caught_up = empty && (next >= toppar->rktp_ls_offset ||
                                       toppar->rktp_offsets.fetch_pos.offset >=
                                           toppar->rktp_ls_offset);
                rd_kafka_toppar_unlock(toppar);

                rd_kafka_update_app_pos(queue->rkqu_rk, toppar,
                                        RD_KAFKA_FETCH_POS(next, leader_epoch), RD_DO_LOCK);
                let_go(&toppar->rktp_refcnt, more_toppar);
                rd_kafka_toppar_destroy(toppar);
        }
        return count;
}

/* What is in messages that came in another way. */
void faust_messages(rd_kafka_message_t *const *messages,
                    size_t count,
                    struct faust_message *contents) {
        size_t i;
        for (i = 0; i < count; i++)
                look(messages[i], &contents[i]);
}

/* Lets go of messages, where they are not NULL, and of responses. */
void faust_release(rd_kafka_message_t *const *messages,
                   size_t count,
                   rd_kafka_buf_t *const *responses,
                   size_t response_count) {
        size_t i;
        for (i = 0; i < count; i++)
                if (messages[i])
                        rd_kafka_message_destroy(messages[i]);
        for (i = 0; i < response_count; i++)
                rd_kafka_buf_destroy(responses[i]);
}
