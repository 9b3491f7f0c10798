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
 * Sees that all leases of the table are of the form of this application's: those of one stream have
 * the shard's ID for key, those of several the stream's before it. KCL would not find the
 * checkpoints of the other form, and begin anew: it looks at every lease that KCL reads.
 */
final class LeaseForm {
    private static final int ATTEMPTS = 20; // as many as KCL makes of its start
    private static final long BACKOFF_MILLIS = 1000;

    private final String table;
    private final boolean several;
    private volatile IllegalStateException other; // the first lease that is not of the form
    private volatile Consumer<Throwable> listener = t -> { };

    /** Has KCL look at each lease. */
    LeaseForm(LeaseManagementConfig config, boolean several) {
        this.table = config.tableName();
        this.several = several;
        // KCL waits that long after it has made a stream's leases, in the start with each one after the
        // other. Nothing needs it: what looks for new shards has an interval of its own.
        long interval = config.shardSyncIntervalMillis();
        config.shardSyncIntervalMillis(0);
        // The first one to ask for the factory says what is in it.
        config.leaseManagementFactory(several ? new OfSeveral() : new OfOne(), several);
        config.shardSyncIntervalMillis(interval);
    }

    /** Looks at all leases that there are, and throws if one is not of the form. */
    void confirm(LeaseRefresher leases) {
        for (int attempt = 1; ; attempt++) {
            try {
                leases.listLeases();
            } catch (Exception e) {
                Throwable t = Streams.cause(e);
                if (other == null && !(t instanceof ResourceNotFoundException)) { // then there is no table yet
                    if (attempt == ATTEMPTS || !Streams.passes(t)) {
                        throw new IllegalStateException(e);
                    }
                    Control.sleep(BACKOFF_MILLIS);
                    continue;
                }
            }
            if (other != null) { // KCL may have caught it
                throw other;
            }
            return;
        }
    }

    /** Tells the listener, once, of a lease that is not of the form, from now on. */
    void tell(Consumer<Throwable> listener) {
        this.listener = listener;
    }

    private synchronized void look(Map<String, AttributeValue> row) {
        AttributeValue type = row.get("entityType"); // since KCL 3.5 other things are in the table too
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
