/* Calls on a client's main thread, and what it does with their questions.
 *
 * Some requests (ListOffsets, DeleteRecords) look for the leaders of partitions before they are sent. librdkafka does
 * the first look on the thread that asks, and every later one on its main thread, when an answer has changed what it
 * knows of topics; where such an answer comes during the first look, both finish the same request, and the process
 * dies of it. On the main thread one comes after the other. */

#include "rdkafka_int.h"

struct call {
        void (*run)(void *);
        void *argument;
        mtx_t lock;
        cnd_t ended;
        int has_ended;
};

static rd_kafka_op_res_t serve(rd_kafka_t *rk, rd_kafka_q_t *rkq, rd_kafka_op_t *rko) {
        struct call *call = rko->rko_u.leaders.opaque;

        /* Without a queue the client is on its way down. */
        if (rko->rko_err != RD_KAFKA_RESP_ERR__DESTROY)
                call->run(call->argument);

        mtx_lock(&call->lock);
        call->has_ended = 1;
        cnd_signal(&call->ended);
        mtx_unlock(&call->lock);
        return RD_KAFKA_OP_RES_HANDLED;
}

/* Runs a function on the main thread and waits until it has ended. Not for the main thread itself. */
void faust_on_main(rd_kafka_t *rk, void (*run)(void *), void *argument) {
        struct call call = {.run = run, .argument = argument};
        rd_kafka_op_t *rko = rd_kafka_op_new_cb(rk, RD_KAFKA_OP_LEADERS, serve);

        mtx_init(&call.lock, mtx_plain);
        cnd_init(&call.ended);
        rko->rko_u.leaders.opaque = &call;
        rd_kafka_q_enq(rk->rk_ops, rko);

        mtx_lock(&call.lock);
        while (!call.has_ended)
                cnd_wait(&call.ended, &call.lock);
        mtx_unlock(&call.lock);
        cnd_destroy(&call.ended);
        mtx_destroy(&call.lock);
}

/* What a question to a coordinator is waited for by, with a reference of the caller's; NULL for other questions. On the main
 * thread, which has been given the question and has not begun with it; `answers` is the queue for its answer alone.
 *
 * When such a question runs out of time before a coordinator is there, librdkafka keeps on looking for one, and when it comes
 * lets go of its reference twice: to find that nobody waits, and to say so. The second time the memory may be anybody's. So
 * that there is one for it to let go of, this one is left to it. */
rd_kafka_enq_once_t *faust_awaited(rd_kafka_t *rk, rd_kafka_queue_t *answers) {
        rd_kafka_enq_once_t *awaited = NULL;
        rd_kafka_q_t *asked          = rk->rk_ops;
        rd_kafka_op_t *rko;

        mtx_lock(&asked->rkq_lock);
        TAILQ_FOREACH(rko, &asked->rkq_q, rko_link) {
                const rd_kafka_op_type_t type = rko->rko_type & ~RD_KAFKA_OP_FLAGMASK;

                if ((type == RD_KAFKA_OP_LISTCONSUMERGROUPOFFSETS ||
                     type == RD_KAFKA_OP_ALTERCONSUMERGROUPOFFSETS) &&
                    rko->rko_u.admin_request.replyq.q == answers->rkqu_q)
                        awaited = rko->rko_u.admin_request.eonce;
        }
        if (awaited)
                rd_kafka_enq_once_add_source(awaited, "late coordinator");
        mtx_unlock(&asked->rkq_lock);
        return awaited;
}

/* Lets go of it, once there is an answer. */
void faust_answered(rd_kafka_enq_once_t *awaited) {
        if (awaited)
                rd_kafka_enq_once_del_source(awaited, "late coordinator");
}
