/* Waiting for a connection to a broker that librdkafka has learnt of.
 *
 * A client connects to a bootstrap address first. When that has told which brokers there are, librdkafka closes the
 * connection, and opens one to a broker when somebody asks for it; who asks at the wrong moment is told that there is
 * none, and some of its parts then wait half a second before they ask again. This asks until there is one. Public
 * functions cannot: each is content with the connection that is about to go. */

#include "rdkafka_int.h"
#include "rdkafka_broker.h"

/* Whether there is such a connection within a time. */
int faust_meet(rd_kafka_t *rk, int timeout_ms) {
        rd_ts_t end = rd_timeout_init(timeout_ms);

        while (1) {
                int version = rd_kafka_brokers_get_state_version(rk);
                rd_kafka_broker_t *rkb = rd_kafka_broker_any_usable(
                    rk, rd_timeout_remains(end), RD_DO_LOCK, 0, "first meeting");
                int learned, remains;

                if (!rkb)
                        return 0;
                learned = rkb->rkb_source == RD_KAFKA_LEARNED;
                rd_kafka_broker_destroy(rkb);
                if (learned)
                        return 1;

                remains = rd_timeout_remains(end);
                if (rd_timeout_expired(remains))
                        return 0;
                rd_kafka_brokers_wait_state_change(rk, version, remains);
        }
}
