package software.amazon.kinesis.multilang.config;

import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.LifecycleConfig;
import software.amazon.kinesis.processor.ShardRecordProcessorFactory;
import software.amazon.kinesis.retrieval.RetrievalConfig;

/**
 * KCL's configuration as the daemon makes it from the properties, before the Scheduler is made. It is
 * in this package because the daemon's class is visible only here.
 */
public record Resolved(
        Scheduled all,
        CoordinatorConfig coordinator,
        LeaseManagementConfig leaseManagement,
        LifecycleConfig lifecycle,
        RetrievalConfig retrieval) {

    /** Makes the Scheduler. */
    public interface Scheduled {
        Scheduler scheduler();
    }

    public static Resolved of(MultiLangDaemonConfiguration configuration, ShardRecordProcessorFactory factory) {
        MultiLangDaemonConfiguration.ResolvedConfiguration all = configuration.resolvedConfiguration(factory);
        return new Resolved(
                all::build,
                all.getCoordinatorConfig(),
                all.getLeaseManagementConfig(),
                all.getLifecycleConfig(),
                all.getRetrievalConfig());
    }

    public Scheduler scheduler() {
        return all.scheduler();
    }
}
