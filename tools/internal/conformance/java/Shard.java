import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/** A shard whose lease this worker holds, as far as its record processor can tell. */
final class Shard {
    private final String id;
    private final Function<String, ShardRecordProcessor> processors;
    private final Checkpoints checkpoints;
    // KCL calls a record processor from one thread at a time, too.
    private final ExecutorService thread;
    private final List<String> errors = new ArrayList<>();
    private List<Command.Record> batch = List.of();
    private int deliveries;
    private volatile ShardRecordProcessor processor;
    private volatile String action = "";

    Shard(String id, Function<String, ShardRecordProcessor> processors) {
        this.id = id;
        this.processors = processors;
        checkpoints = new Checkpoints(id);
        thread = Executors.newSingleThreadExecutor(work -> new Thread(work, id));
        collectErrors();
    }

    void take(Command command) {
        if (command.action.equals("release")) {
            checkpoints.release();
            return;
        }
        thread.execute(() -> {
            try {
                execute(command);
            } catch (Throwable t) {
                // Not the daemon's doing: its classes catch what goes wrong and exit.
                t.printStackTrace();
                Runtime.getRuntime().halt(70);
            }
        });
    }

    private void execute(Command command) throws ReflectiveOperationException {
        action = command.action;
        synchronized (errors) {
            errors.clear();
        }
        checkpoints.begin(command);
        long[] nanos = new long[command.repeat];
        if (command.action.equals("initialize")) {
            processor = processors.apply(command.executable);
        }
        if (command.records != null) {
            batch = command.records;
            deliveries = 0;
        }
        for (int i = 0; i < command.repeat; i++) {
            Runnable call = call(command);
            long from = System.nanoTime();
            call.run();
            nanos[i] = System.nanoTime() - from;
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("action", command.action);
        answer.put("nanos", nanos);
        answer.put("checkpoints", checkpoints.calls());
        answer.put("checkpoint", checkpoints.last());
        answer.put("errors", errors);
        putChild(answer);
        Driver.report("answer", id, answer);
    }

    /** Prepares the call, so that its time alone is taken. */
    private Runnable call(Command command) {
        switch (command.action) {
            case "initialize":
                InitializationInput initialize = InitializationInput.builder()
                        .shardId(id)
                        .extendedSequenceNumber(new ExtendedSequenceNumber(command.sequenceNumber))
                        .build();
                return () -> processor.initialize(initialize);
            case "processRecords":
                List<KinesisClientRecord> records = Command.delivery(batch, deliveries++);
                checkpoints.deliver(records);
                ProcessRecordsInput batch = ProcessRecordsInput.builder()
                        .records(records)
                        .checkpointer(checkpoints.checkpointer())
                        .millisBehindLatest(0L)
                        .build();
                return () -> processor.processRecords(batch);
            case "leaseLost":
                return () -> processor.leaseLost(LeaseLostInput.builder().build());
            case "shardEnded":
                checkpoints.end();
                ShardEndedInput end = ShardEndedInput.builder()
                        .checkpointer(checkpoints.checkpointer())
                        .build();
                return () -> processor.shardEnded(end);
            case "shutdownRequested":
                ShutdownRequestedInput shutdown = ShutdownRequestedInput.builder()
                        .checkpointer(checkpoints.checkpointer())
                        .build();
                return () -> processor.shutdownRequested(shutdown);
            default:
                throw new IllegalArgumentException(command.action);
        }
    }

    /** Called by the shutdown hook: the shard's thread may stand in an exit. */
    void reportExit() {
        Map<String, Object> exit = new LinkedHashMap<>();
        exit.put("action", action);
        exit.put("checkpoints", checkpoints.calls());
        exit.put("checkpoint", checkpoints.last());
        synchronized (errors) {
            exit.put("errors", new ArrayList<>(errors));
        }
        try {
            putChild(exit);
        } catch (ReflectiveOperationException e) {
            e.printStackTrace();
        }
        Driver.report("exit", id, exit);
    }

    private void putChild(Map<String, Object> report) throws ReflectiveOperationException {
        if (processor == null) {
            return;
        }
        Field field = processor.getClass().getDeclaredField("process");
        field.setAccessible(true);
        Process process = (Process) field.get(processor);
        if (process == null) {
            return; // it could not be started
        }
        report.put("pid", process.pid());
        if (!process.isAlive()) {
            report.put("childStatus", process.exitValue());
        }
    }

    /** shutdownRequested tells a failure to nobody but the log. */
    private void collectErrors() {
        AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
            @Override
            protected void append(ILoggingEvent event) {
                if (event.getLevel().isGreaterOrEqual(Level.ERROR)
                        && event.getThreadName().equals(id)) {
                    synchronized (errors) {
                        errors.add(event.getFormattedMessage());
                    }
                }
            }
        };
        appender.start();
        Driver.logger("software.amazon.kinesis.multilang").addAppender(appender);
    }
}
