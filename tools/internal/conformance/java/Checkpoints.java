import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import software.amazon.kinesis.checkpoint.ShardRecordProcessorCheckpointer;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.KinesisClientLibDependencyException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.exceptions.ThrottlingException;
import software.amazon.kinesis.leases.ShardInfo;
import software.amazon.kinesis.processor.Checkpointer;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * A shard's checkpoints: KCL's own checkpointer, which checks each position, with nothing behind it
 * and, before it, the failures that were ordered.
 */
final class Checkpoints {
    private final String shard;
    private final ShardRecordProcessorCheckpointer real;
    private final Semaphore released = new Semaphore(0);
    private List<Map<String, Object>> calls = new ArrayList<>();
    private Command command;

    Checkpoints(String shard) {
        this.shard = shard;
        // The table of leases: takes everything, and what it holds is what real remembers.
        Checkpointer table = proxy(Checkpointer.class, (method, args) -> null);
        real = new ShardRecordProcessorCheckpointer(new ShardInfo(shard, "token", List.of(), null), table);
    }

    RecordProcessorCheckpointer checkpointer() {
        return proxy(RecordProcessorCheckpointer.class, this::checkpoint);
    }

    /** Starts an action: what it orders holds for the calls that are made in it. */
    synchronized void begin(Command command) {
        this.command = command;
        calls = new ArrayList<>();
        if (command.action.equals("initialize")) {
            ExtendedSequenceNumber start = new ExtendedSequenceNumber(command.sequenceNumber);
            real.setInitialCheckpointValue(start);
            real.largestPermittedCheckpointValue(start);
        }
    }

    void deliver(List<KinesisClientRecord> records) {
        if (!records.isEmpty()) {
            KinesisClientRecord last = records.get(records.size() - 1);
            real.largestPermittedCheckpointValue(
                    new ExtendedSequenceNumber(last.sequenceNumber(), last.subSequenceNumber()));
        }
    }

    void end() {
        real.sequenceNumberAtShardEnd(real.largestPermittedCheckpointValue());
        real.largestPermittedCheckpointValue(ExtendedSequenceNumber.SHARD_END);
    }

    void release() {
        released.release();
    }

    /** The calls of the action, in order, each with its arguments and the failure it ended with. */
    synchronized List<Map<String, Object>> calls() {
        return new ArrayList<>(calls);
    }

    /** What the table of leases holds. */
    Map<String, Object> last() {
        ExtendedSequenceNumber last = real.lastCheckpointValue();
        return last == null
                ? null
                : Map.of("sequenceNumber", last.sequenceNumber(), "subSequenceNumber", last.subSequenceNumber());
    }

    private Object checkpoint(Method method, Object[] args) throws Throwable {
        Map<String, Object> call = new LinkedHashMap<>();
        call.put("sequenceNumber", args == null ? null : args[0]);
        call.put("subSequenceNumber", args == null || args.length < 2 ? null : args[1]);
        int number;
        synchronized (this) {
            calls.add(call);
            number = calls.size();
        }
        if (number == command.holdCheckpoint) {
            Driver.report("held", shard, Map.of());
            released.acquire();
        }
        try {
            String ordered = number <= command.checkpointErrors.size() ? command.checkpointErrors.get(number - 1) : "";
            if (!ordered.isEmpty()) {
                throw failure(ordered);
            }
            return method.invoke(real, args);
        } catch (InvocationTargetException e) {
            call.put("error", e.getCause().getClass().getSimpleName());
            throw e.getCause();
        } catch (Exception e) {
            call.put("error", e.getClass().getSimpleName());
            throw e;
        }
    }

    private static Exception failure(String name) {
        String message = "ordered by the test";
        switch (name) {
            case "ThrottlingException":
                return new ThrottlingException(message);
            case "ShutdownException":
                return new ShutdownException(message);
            case "InvalidStateException":
                return new InvalidStateException(message);
            case "KinesisClientLibDependencyException":
                return new KinesisClientLibDependencyException(message);
            case "IllegalArgumentException":
                return new IllegalArgumentException(message);
            default:
                return new RuntimeException(message);
        }
    }

    private interface Handler {
        Object handle(Method method, Object[] args) throws Throwable;
    }

    private static <T> T proxy(Class<T> type, Handler handler) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> handler.handle(method, args)));
    }
}
