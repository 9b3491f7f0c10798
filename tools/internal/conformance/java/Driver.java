import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.commons.beanutils.BeanUtilsBean;
import org.apache.commons.beanutils.ConvertUtilsBean;
import org.slf4j.LoggerFactory;
import software.amazon.kinesis.multilang.MultiLangRecordProcessorFactory;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;

/**
 * Drives record processors as the MultiLangDaemon does, by its own classes, but on command instead
 * of by leases and streams. A line of JSON on standard input is a command, one on standard output a
 * report; see conformance.go, which is at the other end. The end of the input ends the JVM.
 *
 * <p>System properties: driver.log, the level of the daemon's log, which goes to standard error;
 * driver.timeoutInSeconds, the daemon's property of that name.
 */
public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static PrintStream reports;

    public static void main(String[] args) throws IOException {
        reports = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // Before anything logs: where no configuration is found, logback takes System.out.
        System.setOut(System.err);
        logger(org.slf4j.Logger.ROOT_LOGGER_NAME).setLevel(Level.valueOf(System.getProperty("driver.log")));

        MultiLangDaemonConfiguration configuration =
                new MultiLangDaemonConfiguration(BeanUtilsBean.getInstance(), new ConvertUtilsBean());
        configuration.setTimeoutInSeconds(Integer.getInteger("driver.timeoutInSeconds"));
        ExecutorService executor = Executors.newCachedThreadPool();

        Map<String, Shard> shards = new HashMap<>();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> exiting(shards)));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = commands.readLine()) != null; ) {
            Command command = JSON.readValue(line, Command.class);
            Shard shard;
            synchronized (shards) {
                shard = shards.computeIfAbsent(
                        command.shard,
                        id -> new Shard(id, executable -> new MultiLangRecordProcessorFactory(
                                        executable, executor, configuration)
                                .shardRecordProcessor()));
            }
            shard.take(command);
        }
        System.exit(0);
    }

    static Logger logger(String name) {
        return (Logger) LoggerFactory.getLogger(name);
    }

    /** Writes one report. May be called by any thread. */
    static void report(String event, String shard, Map<String, Object> fields) {
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("event", event);
        report.put("shard", shard);
        report.putAll(fields);
        try {
            reports.println(JSON.writeValueAsString(report));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The last words of a System.exit, which a Runtime.halt does not have. */
    private static void exiting(Map<String, Shard> shards) {
        synchronized (shards) {
            shards.values().forEach(Shard::reportExit);
        }
    }
}
