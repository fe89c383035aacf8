/* What the engine looks at in each message, side by side for a whole batch: one call instead of four a message, and
 * no need to touch librdkafka's own structures again, which are some hundred bytes apart. */

#include "rdkafka_int.h"
#include "rdkafka_msg.h"

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
                const rd_kafka_msg_t *msg = rd_kafka_message2msg(messages[i]);
                out[i].offset             = messages[i]->offset;
                out[i].key                = messages[i]->key;
                out[i].value              = messages[i]->payload;
                out[i].key_len            = messages[i]->key_len;
                out[i].value_len          = messages[i]->len;
                out[i].err                = messages[i]->err;
                /* An error has no place of its own for the rest. */
                out[i].timestamp      = messages[i]->err ? -1 : msg->rkm_timestamp;
                out[i].timestamp_type = messages[i]->err ? 0 : (int8_t)msg->rkm_tstype;
                /* Unparsed headers begin with their number, as a varint. */
                out[i].has_headers =
                    !messages[i]->err &&
                    RD_KAFKAP_BYTES_LEN(&msg->rkm_u.consumer.binhdrs) > 0 &&
                    *(const char *)msg->rkm_u.consumer.binhdrs.data != 0;
        }
}
