package com.github.seed96110120.kinesis;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.kinesis.common.StreamConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.ShardInfo;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * Checks whether a shard that KCL considers ended really has ended. KCL takes every
 * ResourceNotFoundException for an end, also that of a deleted fan-out consumer. After a stream was
 * deleted and created again, leases of the old stream may be at their ends: KCL does not read such a
 * shard, and does not report it.
 */
final class Ends {
    /** The shard is open. */
    static final class OpenShardException extends Exception {
        private static final long serialVersionUID = 1;

        OpenShardException() {
            super("KCL considers the shard ended, but it is open");
        }
    }

    interface Listener {
        void told(String leaseKey, String operation, Throwable t);
    }

    private static final long AGAIN_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final Scheduler scheduler;
    private final Streams streams;
    private final Listener listener;

    private final AtomicBoolean looking = new AtomicBoolean();
    private final Set<String> wrong = ConcurrentHashMap.newKeySet(); // lease keys at their ends whose shards are open
    private long looked = System.nanoTime() - AGAIN_NANOS; // only the scheduler's thread uses it

    Ends(Scheduler scheduler, Streams streams, Listener listener) {
        this.scheduler = scheduler;
        this.streams = streams;
        this.listener = listener;
    }

    /** Receives the leases that this worker reads, in each round. It does not wait for AWS. */
    void look(List<ShardInfo> held) {
        List<ShardInfo> ended = held.stream()
                .filter(shard -> ExtendedSequenceNumber.SHARD_END.equals(shard.checkpoint()))
                .toList();
        if (ended.isEmpty() || System.nanoTime() - looked < AGAIN_NANOS
                || !looking.compareAndSet(false, true)) {
            return;
        }
        looked = System.nanoTime();
        Control.daemon("ends", () -> {
            try {
                compare(ended);
            } finally {
                looking.set(false);
            }
        }).start();
    }

    private void compare(List<ShardInfo> ended) {
        ended.stream().collect(Collectors.groupingBy(streams::config)).forEach((stream, leases) -> {
            Set<String> open;
            try {
                open = open(stream);
            } catch (RuntimeException e) {
                return; // ListShards failed, which KCL itself reports
            }
            for (ShardInfo lease : leases) {
                String key = ShardInfo.getLeaseKey(lease);
                if (open.contains(lease.shardId())) {
                    wrong.add(key);
                    listener.told(key, "Initialize", new OpenShardException());
                } else {
                    wrong.remove(key);
                }
            }
        });
    }

    /** Returns whether a lease is at its end although its shard is open. */
    boolean isOpen(String leaseKey) {
        return wrong.contains(leaseKey);
    }

    /** Throws if the shard is open, or if it is not known whether it is. */
    void confirm(StreamConfig stream, String shardId) throws OpenShardException {
        if (open(stream).contains(shardId)) {
            throw new OpenShardException();
        }
    }

    /** Returns the IDs of the open shards. */
    private Set<String> open(StreamConfig stream) {
        List<Shard> shards = scheduler.shardDetectorProvider().apply(stream).listShards();
        if (shards == null) {
            throw new IllegalStateException("the stream's shards cannot be listed now");
        }
        return shards.stream()
                .filter(shard -> shard.sequenceNumberRange().endingSequenceNumber() == null)
                .map(Shard::shardId)
                .collect(Collectors.toSet());
    }
}
