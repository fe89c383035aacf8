/* Calls on a client's main thread.
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
