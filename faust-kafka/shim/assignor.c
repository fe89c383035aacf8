/* A partition assignor of the application's inside librdkafka.
 *
 * librdkafka knows three assignors and lets nobody add one, but the table they stand in is reachable from C that is
 * compiled against the internal headers. This file enters one cooperative assignor into the table of a client, turns
 * the internal structures into plain ones, and calls Rust.
 *
 * All callbacks run on the client's main thread. */

#include "rdkafka_int.h"
#include "rdkafka_assignor.h"
#include "rdkafka_cgrp.h"

/* What Rust sees of a member (mirrored in src/member/shim.rs). */
struct faust_member {
        const char *id;
        size_t id_len;
        const char *instance; /* NULL: not a static member */
        size_t instance_len;
        const void *user_data;
        size_t user_data_len;
        const rd_kafka_topic_partition_list_t *topics;
        const rd_kafka_topic_partition_list_t *owned; /* may be NULL */
        int32_t generation;
};

struct faust_topic {
        const char *name;
        int32_t partitions;
};

/* Implemented in Rust. `opaque` is the member's assignor. */
extern void faust_assignor_user_data(void *opaque,
                                     const rd_kafka_topic_partition_list_t *owned,
                                     void *sink);
extern int faust_assignor_assign(void *opaque,
                                 const struct faust_member *members,
                                 size_t member_cnt,
                                 const struct faust_topic *topics,
                                 size_t topic_cnt,
                                 void *sink);
extern void faust_assignor_assigned(void *opaque,
                                    const rd_kafka_topic_partition_list_t *partitions,
                                    const void *user_data,
                                    size_t user_data_len,
                                    int32_t generation);

/* --- What this member tells the leader -------------------------------------------------------------------------- */

struct metadata_sink {
        const rd_list_t *topics;
        const rd_kafka_topic_partition_list_t *owned;
        const rd_kafkap_str_t *rack_id;
        rd_kafkap_bytes_t *result;
};

/* Called by Rust from within faust_assignor_user_data: the bytes need to live only for this call. */
void faust_sink_user_data(void *opaque, const void *data, size_t len, int32_t generation) {
        struct metadata_sink *sink = opaque;
        if (sink->result)
                rd_kafkap_bytes_destroy(sink->result);
        sink->result = rd_kafka_consumer_protocol_member_metadata_new(
            sink->topics, data, len, sink->owned, generation, sink->rack_id);
}

static rd_kafkap_bytes_t *
get_metadata(const rd_kafka_assignor_t *rkas,
             void *state,
             const rd_list_t *topics,
             const rd_kafka_topic_partition_list_t *owned,
             const rd_kafkap_str_t *rack_id) {
        struct metadata_sink sink = {topics, owned, rack_id, NULL};
        faust_assignor_user_data(rkas->rkas_opaque, owned, &sink);
        if (!sink.result) /* Rust panicked */
                faust_sink_user_data(&sink, NULL, 0, -1);
        return sink.result;
}

/* --- Who gets what (on the leader) ------------------------------------------------------------------------------ */

/* Called by Rust from within faust_assignor_assign, which guards the index. */
void faust_sink_partition(void *sink, size_t member, const char *topic, int32_t partition) {
        rd_kafka_group_member_t *members = sink;
        rd_kafka_topic_partition_list_add(members[member].rkgm_assignment, topic, partition);
}

void faust_sink_member_data(void *sink, size_t member, const void *data, size_t len) {
        rd_kafka_group_member_t *members = sink;
        if (members[member].rkgm_userdata)
                rd_kafkap_bytes_destroy(members[member].rkgm_userdata);
        members[member].rkgm_userdata = rd_kafkap_bytes_new(data, (int32_t)len);
}

static rd_kafka_resp_err_t assign(rd_kafka_t *rk,
                                  const rd_kafka_assignor_t *rkas,
                                  const char *member_id,
                                  const rd_kafka_metadata_t *metadata,
                                  rd_kafka_group_member_t *members,
                                  size_t member_cnt,
                                  rd_kafka_assignor_topic_t **eligible,
                                  size_t eligible_cnt,
                                  char *errstr,
                                  size_t errstr_size,
                                  void *opaque) {
        struct faust_member *m = rd_calloc(member_cnt + 1, sizeof(*m));
        struct faust_topic *t  = rd_calloc(eligible_cnt + 1, sizeof(*t));
        int failed;
        size_t i;

        for (i = 0; i < member_cnt; i++) {
                const rd_kafka_group_member_t *from = &members[i];
                m[i].id     = from->rkgm_member_id->str;
                m[i].id_len = RD_KAFKAP_STR_LEN(from->rkgm_member_id);
                if (from->rkgm_group_instance_id &&
                    !RD_KAFKAP_STR_IS_NULL(from->rkgm_group_instance_id)) {
                        m[i].instance     = from->rkgm_group_instance_id->str;
                        m[i].instance_len = RD_KAFKAP_STR_LEN(from->rkgm_group_instance_id);
                }
                if (from->rkgm_userdata) {
                        m[i].user_data     = from->rkgm_userdata->data;
                        m[i].user_data_len = RD_KAFKAP_BYTES_LEN(from->rkgm_userdata);
                }
                m[i].topics     = from->rkgm_subscription;
                m[i].owned      = from->rkgm_owned;
                m[i].generation = from->rkgm_generation;
        }
        for (i = 0; i < eligible_cnt; i++) {
                t[i].name       = eligible[i]->metadata->topic;
                t[i].partitions = eligible[i]->metadata->partition_cnt;
        }

        failed = faust_assignor_assign(opaque, m, member_cnt, t, eligible_cnt, members);
        rd_free(m);
        rd_free(t);
        if (failed) {
                rd_snprintf(errstr, errstr_size, "the application's assignor failed");
                return RD_KAFKA_RESP_ERR__FAIL;
        }

        /* After a cooperative assignor librdkafka withholds what another member owns, and gives back what nobody was
         * given. Our assignor does the first itself and must be able to undo the second, so nobody owns anything as
         * far as that step is concerned, and the lists stay as they are. */
        for (i = 0; i < member_cnt; i++) {
                if (members[i].rkgm_owned)
                        rd_kafka_topic_partition_list_destroy(members[i].rkgm_owned);
                members[i].rkgm_owned = rd_kafka_topic_partition_list_new(0);
        }
        return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* --- What this member got --------------------------------------------------------------------------------------- */

static void on_assignment(const rd_kafka_assignor_t *rkas,
                          void **state,
                          const rd_kafka_topic_partition_list_t *partitions,
                          const rd_kafkap_bytes_t *user_data,
                          const rd_kafka_consumer_group_metadata_t *group) {
        faust_assignor_assigned(rkas->rkas_opaque, partitions, user_data->data,
                                RD_KAFKAP_BYTES_LEN(user_data),
                                rd_kafka_consumer_group_metadata_generation_id(group));
}

/* --- Entry points for Rust -------------------------------------------------------------------------------------- */

/* Makes the application's assignor the only one of a client that has not subscribed yet. */
int faust_assignor_install(rd_kafka_t *rk, const char *name, void *opaque) {
        rd_kafka_assignor_t *rkas;
        int i;
        rd_kafka_resp_err_t err = rd_kafka_assignor_add(
            rk, "consumer", name, RD_KAFKA_REBALANCE_PROTOCOL_COOPERATIVE, assign, get_metadata,
            on_assignment, NULL, NULL, opaque);
        if (err)
                return err;
        RD_LIST_FOREACH(rkas, &rk->rk_conf.partition_assignors, i) {
                rkas->rkas_enabled = !rd_kafkap_str_cmp_str(rkas->rkas_protocol_name, name);
        }
        rk->rk_conf.enabled_assignor_cnt = 1;
        return 0;
}

static rd_kafka_op_res_t rejoin(rd_kafka_t *rk, rd_kafka_q_t *rkq, rd_kafka_op_t *rko) {
        rd_kafka_cgrp_t *rkcg = rk->rk_cgrp;
        if (rko->rko_err == RD_KAFKA_RESP_ERR__DESTROY || !rkcg)
                return RD_KAFKA_OP_RES_HANDLED;
        /* In any other state a join is under way, or an answer is awaited: the caller asks again later. */
        if (rkcg->rkcg_join_state == RD_KAFKA_CGRP_JOIN_STATE_STEADY && rkcg->rkcg_subscription) {
                /* What librdkafka does itself after a revocation: the flag, then this, which acts on it. */
                rkcg->rkcg_rebalance_rejoin = rd_true;
                rd_kafka_cgrp_assignment_done(rkcg);
        }
        return RD_KAFKA_OP_RES_HANDLED;
}

/* Joins again, on the client's main thread, if the member is at rest. */
void faust_assignor_rejoin(rd_kafka_t *rk) {
        rd_kafka_q_enq(rk->rk_ops, rd_kafka_op_new_cb(rk, RD_KAFKA_OP_METADATA, rejoin));
}
