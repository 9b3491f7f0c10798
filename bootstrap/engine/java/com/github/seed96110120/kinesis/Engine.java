package com.github.seed96110120.kinesis;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.kinesis.common.StreamConfig;
import software.amazon.kinesis.common.StreamIdentifier;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.coordinator.WorkerStateChangeListener;
import software.amazon.kinesis.leases.Lease;
import software.amazon.kinesis.leases.LeaseCoordinator;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.leases.LeaseRefresher;
import software.amazon.kinesis.leases.MultiStreamLease;
import software.amazon.kinesis.leases.ShardInfo;
import software.amazon.kinesis.leases.ShardPrioritization;
import software.amazon.kinesis.lifecycle.ShardConsumer;
import software.amazon.kinesis.lifecycle.ShutdownReason;
import software.amazon.kinesis.lifecycle.TaskExecutionListener;
import software.amazon.kinesis.lifecycle.TaskOutcome;
import software.amazon.kinesis.lifecycle.TaskType;
import software.amazon.kinesis.lifecycle.events.TaskExecutionListenerInput;
import software.amazon.kinesis.metrics.CloudWatchMetricsFactory;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.multilang.MultiLangDaemonConfig;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.multilang.config.Resolved;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.ShardRecordProcessorFactory;

/**
 * Runs KCL's Scheduler with a conversation for each lease. Unlike the daemon, it can hold back one
 * shard and read it again while it keeps the lease, and it stops within seconds.
 *
 * <p>To hold a shard back, it removes the shard from the leases that the scheduler sees in each
 * round ({@link ShardPrioritization}). The scheduler then ends the shard's consumer as if the lease
 * was lost, but continues to renew the lease. When the scheduler sees the shard again, it makes a
 * new consumer, which begins at the checkpoint.
 */
final class Engine {
    // The length of the scheduler's rounds; KCL's default is 1000. A shard that starts again waits
    // for three rounds. In each round the leader reads its lock in the table.
    private static final long ROUND_MILLIS = 250;
    private static final long QUICK_MILLIS = 25; // the length of a round while a shard starts
    private static final int QUICK_ROUNDS = 4; // the number of rounds that a start takes
    private static final long FIRST_CAPTURE_MILLIS = 10;
    private static final long RELEASE_MILLIS = 5000; // for all leases
    private static final long WITHDRAW_MILLIS = 1000;
    private static final long METRICS_MILLIS = 2000; // to send the last metrics
    private static final int RELEASES_AT_ONCE = 16;
    private static final int RELEASE_PASSES = 5;

    private final Control control;
    private final Path socket;
    private final String token;
    private final Streams streams;
    private final LeaseForm form;
    private final Scheduler scheduler;
    private volatile Ends ends; // null until the scheduler is made
    private final AtomicLong conversations = new AtomicLong();
    private final Map<Long, Conversation> open = new ConcurrentHashMap<>(); // by ID
    // By lease key of a shard that is held back: whether it is to be read again once its consumer
    // has ended.
    private final Map<String, Boolean> held = new ConcurrentHashMap<>();
    private final Tasks tasks = new Tasks();
    private volatile boolean stopping; // no new conversation begins
    private volatile boolean lost; // no more checkpoints are made
    private volatile boolean ready;
    private volatile Throwable failure;

    Engine(Control control, Path socket, String token, String properties) throws Exception {
        this.control = control;
        this.socket = socket;
        this.token = token;
        MultiLangDaemonConfiguration configuration =
                new MultiLangDaemonConfig(properties).getMultiLangDaemonConfiguration();
        Resolved resolved = Resolved.of(configuration, new Factory());
        streams = Streams.of(load(properties), resolved.retrieval());
        form = new LeaseForm(resolved.leaseManagement(), streams.several());
        Retrieval.watch(resolved.retrieval(), this::told, shard -> ends.confirm(streams.config(shard), shard.shardId()));
        resolved.coordinator()
                .shardConsumerDispatchPollIntervalMillis(QUICK_MILLIS) // Leases waits for the rest of a round
                .workerStateChangeListener(new States())
                .shardPrioritization(new Leases(resolved.coordinator().shardPrioritization()));
        resolved.lifecycle().taskExecutionListener(tasks).aggregatorUtil(new Deaggregator());
        scheduler = resolved.scheduler();
        reportSoon(resolved.leaseManagement());
        ends = new Ends(scheduler, streams, this::told);
    }

    /**
     * Makes the worker report to the leader at once. The leader assigns no leases to a worker that has
     * not reported, and KCL delays the first report until it has captured the worker's load twice. The
     * scheduler has already copied the interval of later captures, so only the first report changes.
     * KCL 2 has no reports.
     */
    private static void reportSoon(LeaseManagementConfig config) {
        try {
            Object assignment = config.getClass().getMethod("workerUtilizationAwareAssignmentConfig").invoke(config);
            assignment.getClass()
                    .getMethod("inMemoryWorkerMetricsCaptureFrequencyMillis", long.class)
                    .invoke(assignment, FIRST_CAPTURE_MILLIS);
        } catch (ReflectiveOperationException e) {
            // Then leases arrive as late as KCL's default.
        }
    }

    private static Properties load(String file) throws IOException {
        Properties properties = new Properties();
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            properties.load(in);
        }
        return properties;
    }

    /** Runs KCL until it ends. */
    void run() {
        scheduler.run();
    }

    boolean isStopping() {
        return stopping;
    }

    boolean isLost() {
        return lost;
    }

    /** Returns the reason why KCL has ended by itself. */
    Throwable failure() {
        return failure != null ? failure : new IllegalStateException("KCL has ended by itself");
    }

    // Conversations.

    private final class Factory implements ShardRecordProcessorFactory {
        @Override
        public ShardRecordProcessor shardRecordProcessor() {
            return new Conversation(Engine.this, conversations.incrementAndGet(), "");
        }

        @Override
        public ShardRecordProcessor shardRecordProcessor(StreamIdentifier stream) {
            return new Conversation(
                    Engine.this, conversations.incrementAndGet(), streams.several() ? stream.serialize() : "");
        }
    }

    /** Registers a conversation, and returns false if none may begin. */
    boolean begin(Conversation conversation) {
        open.put(conversation.id, conversation);
        if (stopping) { // possibly since the line above
            open.remove(conversation.id);
        }
        return !stopping;
    }

    Line connect(Conversation conversation, String stream, String shard) throws IOException {
        StreamIdentifier of = streams.config(stream).streamIdentifier();
        ObjectNode hello = Control.MAPPER.createObjectNode()
                .put("token", token)
                .put("connection", "lease")
                .put("lease", conversation.id)
                .put("leaseKey", conversation.leaseKey())
                .put("shardId", shard)
                .put("stream", of.streamName());
        of.streamArnOptional().ifPresent(arn -> hello.put("streamArn", arn.toString()));
        Line line = new Line(socket);
        try {
            line.write(hello);
        } catch (IOException e) {
            line.close();
            throw e;
        }
        return line;
    }

    void ended(Conversation conversation) {
        open.remove(conversation.id);
    }

    /**
     * Ends a conversation that has failed and holds its shard back, and returns false if it was over
     * already. It holds the shard back before the Go process can see the end, because the command to
     * read the shard again may come at once.
     */
    private boolean hold(Conversation conversation) {
        synchronized (held) {
            if (!conversation.finish()) {
                return false;
            }
            held.put(conversation.leaseKey(), false);
        }
        conversation.close();
        ended(conversation);
        return true;
    }

    /** Ends a conversation because of a failure in this process. */
    void broken(Conversation conversation, Throwable t) {
        if (hold(conversation)) {
            control.send(Control.event("lost")
                    .put("lease", conversation.id)
                    .put("leaseKey", conversation.leaseKey())
                    .put("reason", Control.cut(t.toString())));
        }
    }

    /** Throws and reports an error if the shard of a conversation has not ended. */
    void confirmEnd(String leaseKey, String stream, String shardId) throws Exception {
        if (stopping) {
            throw new IllegalStateException("the worker is stopping");
        }
        try {
            ends.confirm(streams.config(stream), shardId);
        } catch (Exception e) {
            told(leaseKey, "ShardEnd", e);
            throw e;
        }
    }

    // Commands.

    void fail(long id) {
        Conversation conversation = open.get(id);
        if (conversation != null) {
            hold(conversation);
        }
    }

    void read(String leaseKey) {
        synchronized (held) {
            held.replace(leaseKey, true);
        }
    }

    /** Gives up a lease. Its shard stays held back until then. */
    void evict(String leaseKey) {
        Control.daemon("evict", () -> {
            try {
                LeaseCoordinator leases = scheduler.leaseCoordinator();
                Lease lease = leases.leaseRefresher().getLease(leaseKey);
                if (lease != null && leases.workerIdentifier().equals(reader(lease))) {
                    giveUp(lease);
                }
            } catch (Exception e) {
                told(leaseKey, "EvictLease", e);
            }
        }).start();
    }

    /** Stops, and then ends the process. */
    void stop(long graceMillis) {
        if (stopping) {
            return;
        }
        stopping = true;
        Control.daemon("stop", () -> {
            ExecutorService threads = Executors.newCachedThreadPool(Engine::daemon);
            List<Future<?>> ends = new ArrayList<>();
            for (Conversation conversation : open.values()) {
                ends.add(threads.submit(conversation::stop));
            }
            int late = await(ends, graceMillis);
            lost = true;
            open.values().forEach(this::hold);
            end(late == 0 ? null : late + " record processors did not answer", Entry.STOPPED);
        }).start();
    }

    /** Ends the process because the Go process is silent. */
    void giveUp() {
        stopping = true;
        lost = true;
        open.values().forEach(this::hold);
        end("the Go process is silent", Entry.SILENCE);
    }

    /** Ends the process because of leases of the other form. It releases no leases. */
    private void refuse(Throwable t) {
        stopping = true;
        lost = true;
        open.values().forEach(this::hold);
        Control.daemon("refuse", () -> Entry.fail(control, t)).start();
    }

    /** Shuts down the scheduler, releases the leases and ends the process. */
    private void end(String reason, int status) {
        ObjectNode event = Control.event("stopped");
        try {
            int released = !ready ? 0 : within(RELEASE_MILLIS, () -> {
                scheduler.shutdown();
                withdraw();
                return release();
            });
            event.put("released", released);
        } catch (Exception e) {
            reason = reason != null ? reason : "the leases could not be released: " + Control.cut(e.toString());
        }
        if (reason != null) {
            event.put("reason", reason);
        }
        control.send(event.put("complete", reason == null));
        if (scheduler.metricsConfig().metricsLevel() != MetricsLevel.NONE
                && scheduler.metricsConfig().metricsFactory() instanceof CloudWatchMetricsFactory metrics) {
            try {
                within(METRICS_MILLIS, () -> {
                    metrics.shutdown();
                    return null;
                });
            } catch (Exception e) {
                // The last metrics are not worth a longer wait.
            }
        }
        control.exit(reason == null || status != Entry.STOPPED ? status : Entry.INCOMPLETE);
    }

    /**
     * Removes this worker from the table of workers to which the leader assigns leases. Otherwise the
     * leader would assign leases to it for another minute. KCL 2 has no such table.
     */
    private void withdraw() {
        LeaseManagementConfig config = scheduler.leaseManagementConfig();
        try {
            Object table = config;
            for (String name : List.of("workerUtilizationAwareAssignmentConfig", "workerMetricsTableConfig", "tableName")) {
                table = table.getClass().getMethod(name).invoke(table);
            }
            String name = (String) table;
            AttributeValue worker = AttributeValue.builder().s(config.workerIdentifier()).build();
            config.dynamoDBClient()
                    .deleteItem(request -> request.tableName(name).key(Map.of("wid", worker)))
                    .get(WITHDRAW_MILLIS, TimeUnit.MILLISECONDS);
        } catch (Exception e) {
            // Then other workers get the leases later.
        }
    }

    /**
     * Gives up all leases of this worker, and returns their number. It repeats that until there are
     * none, because the leader may assign more meanwhile.
     */
    private int release() throws Exception {
        LeaseCoordinator leases = scheduler.leaseCoordinator();
        String self = leases.workerIdentifier();
        ExecutorService threads = Executors.newFixedThreadPool(RELEASES_AT_ONCE, Engine::daemon);
        int released = 0;
        for (int pass = 0; pass < RELEASE_PASSES; pass++) {
            List<Future<Boolean>> all = new ArrayList<>();
            for (Lease lease : leases.leaseRefresher().listLeases()) {
                if (self.equals(lease.leaseOwner()) || self.equals(reader(lease))) {
                    all.add(threads.submit(() -> giveUp(lease)));
                }
            }
            if (all.isEmpty()) {
                return released;
            }
            for (Future<Boolean> one : all) {
                released += one.get() ? 1 : 0;
            }
        }
        throw new IllegalStateException("leases are assigned to this worker again and again");
    }

    /** Gives up a lease. One that is being handed over to this worker stays with its present reader. */
    private boolean giveUp(Lease lease) throws Exception {
        LeaseRefresher leases = scheduler.leaseCoordinator().leaseRefresher();
        String reader = reader(lease);
        if (scheduler.leaseCoordinator().workerIdentifier().equals(reader)) {
            return leases.evictLease(lease);
        }
        return (Boolean) LeaseRefresher.class.getMethod("assignLease", Lease.class, String.class)
                .invoke(leases, lease, reader);
    }

    /**
     * Returns the worker that reads a lease. While KCL 3 hands over a lease, its owner is the next
     * worker, and another attribute names the worker that still reads it.
     */
    private static String reader(Lease lease) {
        try {
            return (String) Lease.class.getMethod("actualOwner").invoke(lease);
        } catch (ReflectiveOperationException e) {
            return lease.leaseOwner(); // KCL 2
        }
    }

    /** Waits for all, and returns the number that did not end in time. */
    private static int await(List<Future<?>> all, long millis) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        int late = 0;
        for (Future<?> one : all) {
            try {
                one.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            } catch (Exception e) {
                late++;
            }
        }
        return late;
    }

    private static <T> T within(long millis, Callable<T> work) throws Exception {
        ExecutorService thread = Executors.newSingleThreadExecutor(Engine::daemon);
        return thread.submit(work).get(millis, TimeUnit.MILLISECONDS);
    }

    private static Thread daemon(Runnable work) {
        return Control.daemon("end", work);
    }

    // Events.

    /** Reports an error with a shard, or with a null throwable that the shard has recovered. */
    private void told(String leaseKey, String operation, Throwable t) {
        if (t == null) {
            control.send(Control.event("recovered").put("leaseKey", leaseKey));
        } else {
            control.send(Control.event("error")
                    .put("leaseKey", leaseKey)
                    .put("operation", operation)
                    .set("causes", Control.causes(t)));
        }
    }

    /**
     * Makes leases for the streams that have none. KCL does so at once only if there is no lease at
     * all; for a stream that was added to others, it does so minutes later. If another worker makes
     * leases at the same time, it makes the same ones.
     */
    private void syncAdded() {
        try {
            Set<String> known = scheduler.leaseCoordinator().leaseRefresher().listLeases().stream()
                    .map(lease -> ((MultiStreamLease) lease).streamIdentifier())
                    .collect(Collectors.toSet());
            for (StreamConfig stream : scheduler.streamTracker().streamConfigList()) {
                if (!known.contains(stream.streamIdentifier().serialize())) {
                    scheduler.shardSyncTaskManagerProvider().apply(stream).callShardSyncTask();
                }
            }
        } catch (Exception e) {
            // Then KCL does it later.
        }
    }

    private final class States implements WorkerStateChangeListener {
        @Override
        public void onWorkerStateChange(WorkerState state) {
            switch (state) {
                case INITIALIZING -> {
                    control.send(Control.event("state").put("state", "initializing"));
                    form.confirm(scheduler.leaseCoordinator().leaseRefresher()); // an exception ends KCL
                    form.tell(Engine.this::refuse);
                }
                case STARTED -> {
                    ready = true;
                    control.send(Control.event("state").put("state", "ready"));
                    if (streams.several()) {
                        Control.daemon("added", Engine.this::syncAdded).start();
                    }
                }
                default -> { } // whatever ends KCL reports the end
            }
        }

        @Override
        public void onAllInitializationAttemptsFailed(Throwable t) {
            failure = t;
        }
    }

    /** The scheduler calls it in each round, with the leases of this worker. */
    private final class Leases implements ShardPrioritization {
        private final ShardPrioritization order;
        private Set<String> before = Set.of();
        private Set<String> reading = Set.of();
        private int quick; // the number of quick rounds that follow
        private final Set<ShardInfo> handedOver = new HashSet<>();

        Leases(ShardPrioritization order) {
            this.order = order;
        }

        @Override
        public List<ShardInfo> prioritize(List<ShardInfo> earlier) {
            List<ShardInfo> assigned = await(earlier);
            List<ShardInfo> all = streams.read(assigned);
            Set<String> keys = new TreeSet<>();
            Set<String> now = new TreeSet<>();
            for (ShardInfo shard : all) {
                String key = ShardInfo.getLeaseKey(shard);
                keys.add(key);
                // A shard that was assigned after its end is not read, and so not reported.
                if (!shard.isCompleted() || before.contains(key) || ends.isOpen(key)) {
                    now.add(key);
                }
            }
            if (!now.equals(before)) {
                ArrayNode told = Control.MAPPER.createArrayNode();
                now.forEach(told::add);
                control.send(Control.event("leases").set("leaseKeys", told));
                before = now;
            }
            ends.look(all);
            held.keySet().retainAll(keys); // a lease that comes back is not held
            tasks.last.keySet().retainAll(keys);
            handedOver.retainAll(assigned);
            assigned.forEach(this::handOver);
            List<ShardInfo> read = new ArrayList<>();
            Set<String> begun = new HashSet<>();
            for (ShardInfo shard : order.prioritize(all)) {
                if (mayRead(shard)) {
                    read.add(shard);
                    begun.add(ShardInfo.getLeaseKey(shard));
                }
            }
            if (!reading.containsAll(begun)) {
                quick = QUICK_ROUNDS;
            }
            reading = begun;
            return read;
        }

        /** Waits for the rest of a round, or for the first lease, and returns the leases assigned then. */
        private List<ShardInfo> await(List<ShardInfo> assigned) {
            if (quick > 0) {
                quick--;
                return assigned;
            }
            long rest = ROUND_MILLIS - QUICK_MILLIS;
            long step = assigned.isEmpty() ? QUICK_MILLIS : rest;
            for (long waited = 0; waited < rest && (waited == 0 || assigned.isEmpty()); waited += step) {
                Control.sleep(step);
                assigned = scheduler.leaseCoordinator().getCurrentAssignments();
            }
            return assigned;
        }

        /**
         * Hands over a lease that the leader wants to move to another worker, if the lease has no
         * consumer here. KCL waits for the consumer to do so. There is none if the stream is not read,
         * or if the leader already wanted to move the lease when it came. Also, a consumer that has not
         * begun just ends, and KCL before 3.4.3 then renews the lease, so that nobody reads the shard.
         */
        private void handOver(ShardInfo shard) {
            String key = ShardInfo.getLeaseKey(shard);
            ShardConsumer consumer = scheduler.shardInfoShardConsumerMap().get(shard);
            boolean none = consumer == null
                    ? !Boolean.FALSE.equals(held.get(key)) // a shard that is held back may still have a consumer at work
                    : consumer.isShutdown() && consumer.shutdownReason() == ShutdownReason.REQUESTED;
            if (!none || stopping) {
                return;
            }
            LeaseCoordinator leases = scheduler.leaseCoordinator();
            Lease lease = leases.getCurrentlyHeldLease(key);
            if (lease == null || Objects.equals(lease.leaseOwner(), reader(lease)) || !handedOver.add(shard)) {
                return;
            }
            Control.daemon("hand-over", () -> {
                try {
                    leases.leaseRefresher().evictLease(lease);
                } catch (Exception e) {
                    // It expires, and is assigned again.
                } finally {
                    leases.dropLease(lease);
                }
            }).start();
        }

        private boolean mayRead(ShardInfo shard) {
            String key = ShardInfo.getLeaseKey(shard);
            if (stopping) { // no new conversation begins
                return open.values().stream().anyMatch(c -> key.equals(c.leaseKey()));
            }
            if (handedOver.contains(shard)) {
                return false;
            }
            Boolean again = held.get(key);
            if (again != null && again && !scheduler.shardInfoShardConsumerMap().containsKey(shard)) {
                return held.remove(key, true);
            }
            return again == null;
        }
    }

    private final class Tasks implements TaskExecutionListener {
        private final Map<String, String> last = new ConcurrentHashMap<>(); // by lease key

        @Override
        public void beforeTaskExecution(TaskExecutionListenerInput input) {
            Log.within(ShardInfo.getLeaseKey(input.shardInfo()));
        }

        @Override
        public void afterTaskExecution(TaskExecutionListenerInput input) {
            Log.within(null);
            String key = ShardInfo.getLeaseKey(input.shardInfo());
            if (input.taskType() == TaskType.PROCESS) {
                if (input.taskOutcome() == TaskOutcome.FAILURE) { // KCL would skip the batch
                    open.values().stream()
                            .filter(c -> key.equals(c.leaseKey()))
                            .forEach(c -> broken(c, new IllegalStateException("KCL could not deliver a batch")));
                }
                return;
            }
            boolean ok = input.taskOutcome() != TaskOutcome.FAILURE;
            String what = input.taskType() + " " + ok;
            if (what.equals(last.put(key, what))) {
                return;
            }
            control.send(Control.event("task")
                    .put("leaseKey", key)
                    .put("task", input.taskType().name())
                    .put("ok", ok));
        }
    }
}
