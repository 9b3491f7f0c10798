package com.github.seed96110120.kinesis;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import software.amazon.kinesis.leases.ShardInfo;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.retrieval.GetRecordsRetrievalStrategy;
import software.amazon.kinesis.retrieval.RecordsFetcherFactory;
import software.amazon.kinesis.retrieval.RecordsPublisher;
import software.amazon.kinesis.retrieval.RecordsRetrieved;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.RetrievalFactory;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * Wraps the classes of KCL that read a shard. It reports errors that KCL only logs, and avoids a wait
 * of a minute at the end of a consumer. The methods of these interfaces differ between versions of
 * KCL, so the wrappers use reflection.
 */
final class Retrieval {
    /** Receives an error with a shard, and with a null throwable the first success after it. */
    interface Listener {
        void told(String leaseKey, String operation, Throwable t);
    }

    private static final long AGAIN_NANOS = TimeUnit.SECONDS.toNanos(5); // between two errors of a shard
    private static final long RESUBSCRIBE_NANOS = TimeUnit.SECONDS.toNanos(1); // after a refusal

    /** Throws if a shard has not ended. */
    interface Ending {
        void confirm(ShardInfo shard) throws Exception;
    }

    private final Listener listener;
    private final Ending ending;
    private final Map<String, Long> failing = new HashMap<>(); // by lease key, when an error was last reported

    private Retrieval(Listener listener, Ending ending) {
        this.listener = listener;
        this.ending = ending;
    }

    static void watch(RetrievalConfig config, Listener listener, Ending ending) {
        Retrieval retrieval = new Retrieval(listener, ending);
        // Thread-local, because a publisher's strategy is made while the publisher is made.
        ThreadLocal<String> leaseKey = new ThreadLocal<>();
        if (config.retrievalSpecificConfig() instanceof PollingConfig polling) {
            RecordsFetcherFactory fetchers = polling.recordsFetcherFactory();
            polling.recordsFetcherFactory(proxy(RecordsFetcherFactory.class, fetchers, (method, args) -> {
                if (method.getName().equals("createRecordsFetcher")) {
                    args[0] = retrieval.strategy((GetRecordsRetrievalStrategy) args[0], leaseKey.get());
                }
                return method.invoke(fetchers, args);
            }));
        }
        boolean fanOut = !(config.retrievalSpecificConfig() instanceof PollingConfig);
        RetrievalFactory factory = config.retrievalFactory();
        config.retrievalFactory(proxy(RetrievalFactory.class, factory, (method, args) -> {
            if (!method.getName().equals("createGetRecordsCache")) {
                return method.invoke(factory, args);
            }
            ShardInfo shard = (ShardInfo) args[0];
            String key = ShardInfo.getLeaseKey(shard);
            leaseKey.set(key);
            try {
                return retrieval.publisher((RecordsPublisher) method.invoke(factory, args), key, shard, fanOut);
            } catch (InvocationTargetException e) {
                retrieval.failed(key, "RegisterStreamConsumer", e.getCause());
                throw e;
            } finally {
                leaseKey.remove();
            }
        }));
    }

    /** With POLLING: wraps each call of GetRecords. */
    private GetRecordsRetrievalStrategy strategy(GetRecordsRetrievalStrategy strategy, String leaseKey) {
        return proxy(GetRecordsRetrievalStrategy.class, strategy, (method, args) -> {
            if (!method.getName().startsWith("getRecords")) {
                return method.invoke(strategy, args);
            }
            try {
                Object answer = method.invoke(strategy, args);
                succeeded(leaseKey);
                return answer;
            } catch (InvocationTargetException e) {
                failed(leaseKey, "GetRecords", e.getCause());
                throw e;
            }
        });
    }

    private RecordsPublisher publisher(RecordsPublisher publisher, String leaseKey, ShardInfo shard, boolean fanOut) {
        AtomicLong refused = new AtomicLong(System.nanoTime() - RESUBSCRIBE_NANOS); // the time of the last error
        return proxy(RecordsPublisher.class, publisher, (method, args) -> {
            switch (method.getName()) {
                case "start":
                    try {
                        return method.invoke(publisher, args);
                    } catch (InvocationTargetException e) {
                        failed(leaseKey, "Initialize", e.getCause());
                        throw e;
                    }
                case "subscribe":
                    if (fanOut) {
                        // KCL subscribes again in its next round, and rounds are shorter here.
                        pause(refused.get() + RESUBSCRIBE_NANOS - System.nanoTime());
                        args[0] = subscriber(cast(args[0]), leaseKey, shard, refused);
                    }
                    return method.invoke(publisher, args);
                case "shutdown":
                    // With POLLING it would wait a minute for its thread, and delay the consumer's
                    // end. When it is interrupted, it ends the thread at once.
                    if (!fanOut) {
                        Thread.currentThread().interrupt();
                    }
                    try {
                        return method.invoke(publisher, args);
                    } finally {
                        Thread.interrupted();
                    }
                default:
                    return method.invoke(publisher, args);
            }
        });
    }

    /**
     * With FANOUT: wraps each event of SubscribeToShard. KCL turns every ResourceNotFoundException into
     * a shard end without child shards. If the shard is open, this becomes an error, after which KCL
     * subscribes again. A consumer that received the end would delete the lease.
     */
    private Subscriber<RecordsRetrieved> subscriber(
            Subscriber<RecordsRetrieved> subscriber, String leaseKey, ShardInfo shard, AtomicLong refused) {
        return new Subscriber<>() {
            private volatile boolean ends;

            @Override
            public void onSubscribe(Subscription subscription) {
                subscriber.onSubscribe(subscription);
            }

            @Override
            public void onNext(RecordsRetrieved event) {
                ProcessRecordsInput input = event.processRecordsInput();
                if (!input.isAtShardEnd() || input.childShards() != null && !input.childShards().isEmpty()) {
                    succeeded(leaseKey);
                    subscriber.onNext(event);
                    return;
                }
                ends = true;
                // The check calls AWS, and this is a thread of the client.
                Control.daemon("end-" + leaseKey, () -> {
                    try {
                        ending.confirm(shard);
                    } catch (Exception e) {
                        refused.set(System.nanoTime());
                        failed(leaseKey, "ShardEnd", e);
                        subscriber.onError(e);
                        return;
                    }
                    subscriber.onNext(event);
                    subscriber.onComplete();
                }).start();
            }

            @Override
            public void onError(Throwable t) {
                refused.set(System.nanoTime());
                failed(leaseKey, "SubscribeToShard", t);
                subscriber.onError(t);
            }

            @Override
            public void onComplete() {
                if (!ends) { // otherwise it is called after the check
                    subscriber.onComplete();
                }
            }
        };
    }

    @SuppressWarnings("unchecked") // KCL has only this kind of subscriber
    private static Subscriber<RecordsRetrieved> cast(Object subscriber) {
        return (Subscriber<RecordsRetrieved>) subscriber;
    }

    private static void pause(long nanos) {
        try {
            TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the next wait notices the interrupt
        }
    }

    /** Returns whether a failure is due to the interrupt at a consumer's end. */
    static boolean interrupted(Throwable t) {
        for (int depth = 0; t != null && depth < 10; depth++, t = t.getCause()) {
            if (t instanceof InterruptedException) {
                return true;
            }
        }
        return false;
    }

    private void failed(String leaseKey, String operation, Throwable t) {
        if (interrupted(t)) {
            return;
        }
        long now = System.nanoTime();
        synchronized (failing) {
            Long before = failing.get(leaseKey);
            if (before != null && now - before < AGAIN_NANOS) {
                return;
            }
            failing.put(leaseKey, now);
        }
        listener.told(leaseKey, operation, t);
    }

    private void succeeded(String leaseKey) {
        synchronized (failing) {
            if (failing.remove(leaseKey) == null) {
                return;
            }
        }
        listener.told(leaseKey, null, null);
    }

    interface Call {
        Object to(Method method, Object[] args) throws Exception;
    }

    /** Returns an object that passes its calls to another one. */
    static <T> T proxy(Class<T> type, T inner, Call call) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> {
            if (method.getDeclaringClass() == Object.class) {
                return method.invoke(inner, args);
            }
            try {
                return call.to(method, args);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }));
    }
}
