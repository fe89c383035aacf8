import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

/** The word count on Kafka Streams: RocksDB with its cache, a changelog, one thread. Settings as wordcount.sh has them. */
public final class WordCount {
  private static final String BEFORE = "{\"word\":\"";
  private static final String AFTER = "\"}";

  public static void main(String[] args) throws InterruptedException {
    Map<String, String> said = System.getenv();
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, said.get("BENCH_GROUP"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, said.get("BENCH_BROKERS"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, said.get("BENCH_STATE_DIR"));
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put("auto.offset.reset", "earliest");
    for (String option : said.getOrDefault("SUT_OPTS", "").split(" ")) {
      if (option.startsWith("commit=")) {
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, option.substring("commit=".length()));
      } else if (option.equals("guarantee=eos")) {
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
      }
    }

    StreamsBuilder builder = new StreamsBuilder();
    KGroupedStream<String, String> words;
    if (said.get("BENCH_WORKLOAD").equals("shuffle")) {
      KStream<String, String> lines = builder.stream(said.get("BENCH_IN"), Consumed.with(Serdes.String(), Serdes.String()));
      words = lines.groupBy((key, line) -> word(line), Grouped.with(Serdes.String(), Serdes.String()));
    } else {
      // The value is not looked at.
      KStream<String, byte[]> keyed = builder.stream(said.get("BENCH_IN"), Consumed.with(Serdes.String(), Serdes.ByteArray()));
      words = keyed.mapValues(value -> "").groupByKey(Grouped.with(Serdes.String(), Serdes.String()));
    }
    words.count().toStream().to(said.get("BENCH_OUT"), Produced.with(Serdes.String(), Serdes.Long()));

    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close(Duration.ofSeconds(8));
      stopped.countDown();
    }));
    streams.start();
    stopped.await();
  }

  /** Cheaper than a JSON library, which would be fair too. */
  private static String word(String line) {
    return line.substring(BEFORE.length(), line.length() - AFTER.length());
  }
}
