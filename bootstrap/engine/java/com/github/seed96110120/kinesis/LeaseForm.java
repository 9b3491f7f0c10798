package com.github.seed96110120.kinesis;

import java.util.Map;
import java.util.function.Consumer;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.ResourceNotFoundException;
import software.amazon.kinesis.leases.Lease;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.leases.LeaseRefresher;
import software.amazon.kinesis.leases.MultiStreamLease;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseSerializer;
import software.amazon.kinesis.leases.dynamodb.DynamoDBMultiStreamLeaseSerializer;

/**
 * Checks that all leases in the table have the form of this application: the key of a lease is the
 * shard's ID with one stream, and has the stream before it with several. KCL would not find the
 * checkpoints of the other form, and start without them. The check sees every lease that KCL reads.
 */
final class LeaseForm {
    private static final int ATTEMPTS = 20; // the number of KCL's attempts to start
    private static final long BACKOFF_MILLIS = 1000;

    private final String table;
    private final boolean several;
    private volatile IllegalStateException other; // about the first lease of the other form
    private volatile Consumer<Throwable> listener = t -> { };

    /** Makes KCL pass each lease to this check. */
    LeaseForm(LeaseManagementConfig config, boolean several) {
        this.table = config.tableName();
        this.several = several;
        // KCL waits for this interval after it has made the leases of a stream, one stream after the
        // other during a start. That is not needed: the search for new shards has its own interval.
        long interval = config.shardSyncIntervalMillis();
        config.shardSyncIntervalMillis(0);
        // The first call that asks for the factory determines what is in it.
        config.leaseManagementFactory(several ? new OfSeveral() : new OfOne(), several);
        config.shardSyncIntervalMillis(interval);
    }

    /** Checks all leases in the table, and throws if one has the other form. */
    void confirm(LeaseRefresher leases) {
        for (int attempt = 1; ; attempt++) {
            try {
                leases.listLeases();
            } catch (Exception e) {
                Throwable t = Streams.cause(e);
                if (other == null && !(t instanceof ResourceNotFoundException)) { // there is no table yet
                    if (attempt == ATTEMPTS || !Streams.passes(t)) {
                        throw new IllegalStateException(e);
                    }
                    Control.sleep(BACKOFF_MILLIS);
                    continue;
                }
            }
            if (other != null) { // KCL may have caught the exception
                throw other;
            }
            return;
        }
    }

    /** From now on, reports the first lease of the other form to the listener. */
    void tell(Consumer<Throwable> listener) {
        this.listener = listener;
    }

    private synchronized void look(Map<String, AttributeValue> row) {
        AttributeValue type = row.get("entityType"); // since KCL 3.5 the table also has other entities
        if (type != null && !type.s().equals("LEASE") || !row.containsKey("checkpoint")) {
            return;
        }
        if (several != (row.containsKey("streamName") && row.containsKey("shardId"))) {
            IllegalStateException e = new IllegalStateException("the table " + table + " has leases of an application of "
                    + (several ? "one stream" : "several streams") + " (" + row.get("leaseKey").s() + "), and this one has "
                    + (several ? "several" : "one") + ": choose another applicationName, or go back to "
                    + (several ? "the one stream" : "the several streams"));
            if (other == null) {
                other = e;
                listener.accept(e);
            }
            throw e;
        }
    }

    private final class OfOne extends DynamoDBLeaseSerializer {
        @Override
        public Lease fromDynamoRecord(Map<String, AttributeValue> row) {
            look(row);
            return super.fromDynamoRecord(row);
        }
    }

    private final class OfSeveral extends DynamoDBMultiStreamLeaseSerializer {
        @Override
        public MultiStreamLease fromDynamoRecord(Map<String, AttributeValue> row) {
            look(row);
            return super.fromDynamoRecord(row);
        }
    }
}
