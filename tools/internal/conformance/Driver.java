import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.*;
import java.lang.reflect.*;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.Function;
import org.apache.commons.beanutils.BeanUtilsBean;
import org.apache.commons.beanutils.ConvertUtilsBean;
import org.slf4j.LoggerFactory;
import software.amazon.kinesis.checkpoint.ShardRecordProcessorCheckpointer;
import software.amazon.kinesis.leases.ShardInfo;
import software.amazon.kinesis.lifecycle.events.*;
import software.amazon.kinesis.multilang.MultiLangRecordProcessorFactory;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.processor.*;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * Drives record processors as MultiLangDaemon does, with its own classes, but by commands instead
 * of leases and streams. Each line of standard input is a command in JSON, each line of standard
 * output a report; see conformance.go. The JVM ends with its input.
 *
 * <p>The system property driver.log sets the level of the daemon's log on standard error.
 */
public final class Driver {
    static final ObjectMapper JSON = new ObjectMapper();
    static PrintStream reports;

    public static void main(String[] args) throws IOException {
        reports = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // Before the first log message: without a configuration, logback logs to System.out.
        System.setOut(System.err);
        logger(Logger.ROOT_LOGGER_NAME).setLevel(Level.valueOf(System.getProperty("driver.log")));

        MultiLangDaemonConfiguration configuration =
                new MultiLangDaemonConfiguration(BeanUtilsBean.getInstance(), new ConvertUtilsBean());
        ExecutorService executor = Executors.newCachedThreadPool();
        Function<String, ShardRecordProcessor> processors = executable ->
                new MultiLangRecordProcessorFactory(executable, executor, configuration).shardRecordProcessor();

        Map<String, Shard> shards = new ConcurrentHashMap<>();
        // The reports after the daemon's System.exit, which blocks the shard's thread.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> shards.values().forEach(s -> s.report("exit"))));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = commands.readLine()) != null; ) {
            Command command = JSON.readValue(line, Command.class);
            shards.computeIfAbsent(command.shard, id -> new Shard(id, processors)).take(command);
        }
        System.exit(0);
    }

    static Logger logger(String name) {
        return (Logger) LoggerFactory.getLogger(name);
    }

    /** A line of the input; conformance.go documents the fields. */
    static final class Command {
        public String shard;
        public String action;
        public String executable;
        public String sequenceNumber;
        public List<Record> records; // null for the last ones
        public int repeat;
        public List<String> checkpointErrors;
        public int holdCheckpoint;
    }

    static final class Record {
        public byte[] data;
        public String partitionKey;
        public BigInteger sequenceNumber;
        public long subSequenceNumber;
        public Long approximateArrivalTimestamp;
    }
}

/** A shard and its record processor. */
final class Shard {
    private final String id;
    private final Function<String, ShardRecordProcessor> processors;
    // KCL too calls a record processor from one thread at a time.
    private final ExecutorService thread;
    // KCL's own, which checks each position. The lease table behind it accepts everything, and
    // holds what the checkpointer remembers.
    private final ShardRecordProcessorCheckpointer real;
    private final RecordProcessorCheckpointer checkpointer = proxy(RecordProcessorCheckpointer.class, this::checkpoint);
    private final Semaphore released = new Semaphore(0);
    // Of the current action.
    private final List<Map<String, Object>> calls = new CopyOnWriteArrayList<>();
    private final List<String> errors = new CopyOnWriteArrayList<>();
    private volatile Driver.Command command;
    private volatile long[] nanos = {};
    private volatile ShardRecordProcessor processor;
    private List<Driver.Record> batch = List.of();
    private int deliveries; // of the batch

    Shard(String id, Function<String, ShardRecordProcessor> processors) {
        this.id = id;
        this.processors = processors;
        thread = Executors.newSingleThreadExecutor(work -> new Thread(work, id));
        real = new ShardRecordProcessorCheckpointer(
                new ShardInfo(id, "token", List.of(), null), proxy(Checkpointer.class, (self, method, args) -> null));
        // A failure of shutdownRequested is only logged.
        AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
            @Override
            protected void append(ILoggingEvent event) {
                if (event.getLevel().isGreaterOrEqual(Level.ERROR) && event.getThreadName().equals(id)) {
                    errors.add(event.getFormattedMessage());
                }
            }
        };
        appender.start();
        Driver.logger("software.amazon.kinesis.multilang").addAppender(appender);
    }

    void take(Driver.Command command) {
        if (command.action.equals("release")) {
            released.release();
            return;
        }
        thread.execute(() -> {
            try {
                execute(command);
            } catch (Throwable t) {
                // Not from the daemon: its classes catch all errors and exit.
                t.printStackTrace();
                Runtime.getRuntime().halt(70);
            }
        });
    }

    private void execute(Driver.Command command) {
        this.command = command;
        calls.clear();
        errors.clear();
        nanos = new long[command.repeat];
        if (command.records != null) {
            batch = command.records;
            deliveries = 0;
        }
        for (int i = 0; i < command.repeat; i++) {
            Runnable call = prepare();
            long from = System.nanoTime();
            call.run();
            nanos[i] = System.nanoTime() - from;
        }
        report("answer");
    }

    /** Prepares the call, so that only the call is timed. */
    private Runnable prepare() {
        switch (command.action) {
            case "initialize":
                processor = processors.apply(command.executable);
                ExtendedSequenceNumber start = new ExtendedSequenceNumber(command.sequenceNumber);
                real.setInitialCheckpointValue(start);
                real.largestPermittedCheckpointValue(start);
                InitializationInput first =
                        InitializationInput.builder().shardId(id).extendedSequenceNumber(start).build();
                return () -> processor.initialize(first);
            case "processRecords":
                ProcessRecordsInput input = ProcessRecordsInput.builder()
                        .records(delivery()).checkpointer(checkpointer).millisBehindLatest(0L).build();
                return () -> processor.processRecords(input);
            case "leaseLost":
                return () -> processor.leaseLost(LeaseLostInput.builder().build());
            case "shardEnded":
                real.sequenceNumberAtShardEnd(real.largestPermittedCheckpointValue());
                real.largestPermittedCheckpointValue(ExtendedSequenceNumber.SHARD_END);
                return () -> processor.shardEnded(ShardEndedInput.builder().checkpointer(checkpointer).build());
            case "shutdownRequested":
                return () -> processor.shutdownRequested(
                        ShutdownRequestedInput.builder().checkpointer(checkpointer).build());
            default:
                throw new IllegalArgumentException(command.action);
        }
    }

    /** Returns the batch, with higher sequence numbers if it was delivered before. */
    private List<KinesisClientRecord> delivery() {
        if (batch.isEmpty()) {
            return List.of();
        }
        Driver.Record last = batch.get(batch.size() - 1);
        BigInteger raise = last.sequenceNumber.subtract(batch.get(0).sequenceNumber).add(BigInteger.ONE)
                .multiply(BigInteger.valueOf(deliveries++));
        real.largestPermittedCheckpointValue(
                new ExtendedSequenceNumber(last.sequenceNumber.add(raise).toString(), last.subSequenceNumber));
        List<KinesisClientRecord> delivery = new ArrayList<>(batch.size());
        for (Driver.Record record : batch) {
            Long millis = record.approximateArrivalTimestamp;
            delivery.add(KinesisClientRecord.builder()
                    .data(ByteBuffer.wrap(record.data))
                    .partitionKey(record.partitionKey)
                    .sequenceNumber(record.sequenceNumber.add(raise).toString())
                    .subSequenceNumber(record.subSequenceNumber)
                    .approximateArrivalTimestamp(millis == null ? null : Instant.ofEpochMilli(millis))
                    .build());
        }
        return delivery;
    }

    /** Makes a checkpoint of the executable: held or failed if commanded, otherwise by KCL. */
    private Object checkpoint(Object self, Method method, Object[] args) throws Throwable {
        Map<String, Object> call = new ConcurrentHashMap<>();
        if (args != null) {
            call.put("sequenceNumber", args[0]);
        }
        if (args != null && args.length > 1) {
            call.put("subSequenceNumber", args[1]);
        }
        calls.add(call);
        int number = calls.size();
        if (number == command.holdCheckpoint) {
            report("held");
            released.acquire();
        }
        try {
            String ordered = number <= command.checkpointErrors.size() ? command.checkpointErrors.get(number - 1) : "";
            if (!ordered.isEmpty()) {
                throw (Throwable) Class.forName(ordered).getConstructor(String.class).newInstance("ordered by the test");
            }
            return method.invoke(real, args);
        } catch (Throwable t) {
            Throwable failure = t instanceof InvocationTargetException ? t.getCause() : t;
            call.put("error", failure.getClass().getSimpleName());
            throw failure;
        }
    }

    /** Reports the result of the current action. May be called by any thread. */
    void report(String event) {
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("event", event);
        report.put("shard", id);
        report.put("nanos", nanos);
        report.put("checkpoints", calls);
        report.put("errors", errors);
        ExtendedSequenceNumber last = real.lastCheckpointValue();
        if (last != null) {
            report.put("checkpoint", Map.of(
                    "sequenceNumber", last.sequenceNumber(), "subSequenceNumber", last.subSequenceNumber()));
        }
        try {
            if (processor != null) {
                Field field = processor.getClass().getDeclaredField("process");
                field.setAccessible(true);
                Process process = (Process) field.get(processor);
                if (process != null) { // it was started
                    report.put("pid", process.pid());
                    report.put("childStatus", process.isAlive() ? null : process.exitValue());
                }
            }
            Driver.reports.println(Driver.JSON.writeValueAsString(report));
        } catch (ReflectiveOperationException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
