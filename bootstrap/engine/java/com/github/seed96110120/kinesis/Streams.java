package com.github.seed96110120.kinesis;

import java.lang.reflect.Method;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.arns.Arn;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.DescribeStreamSummaryRequest;
import software.amazon.awssdk.services.kinesis.model.DescribeStreamSummaryResponse;
import software.amazon.awssdk.services.kinesis.model.StreamDescriptionSummary;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.StreamConfig;
import software.amazon.kinesis.common.StreamIdentifier;
import software.amazon.kinesis.leases.ShardInfo;
import software.amazon.kinesis.processor.FormerStreamsLeasesDeletionStrategy;
import software.amazon.kinesis.processor.MultiStreamTracker;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConsumerRegistration;
import software.amazon.kinesis.retrieval.polling.PollingConfig;
import software.amazon.kinesis.retrieval.polling.SynchronousBlockingRetrievalFactory;

/**
 * The streams to read. The daemon reads one stream by its name. Here it may be an ARN, and there may
 * be several streams, each with its own position and consumer. With a single stream the lease keys
 * are those of the daemon. With several streams the stream is part of the key.
 *
 * <p>If the ARN is known, every call has it. So the stream of another account is read, and never the
 * stream of the same name in the own account.
 */
final class Streams {
    private static final Logger LOG = LoggerFactory.getLogger(Streams.class);
    private static final int ATTEMPTS = 20; // the number of KCL's attempts to start
    private static final long BACKOFF_MILLIS = 1000;
    private static final long CALL_SECONDS = 30;

    private final Map<String, StreamConfig> all = new LinkedHashMap<>(); // by KCL's identifier
    private final boolean several;
    private final Set<String> warned = new HashSet<>(); // streams that are not read; only the scheduler's thread uses it

    /** Makes KCL read the streams that the properties name. */
    static Streams of(Properties properties, RetrievalConfig config) throws Exception {
        StreamConfig named = config.streamTracker().streamConfigList().get(0);
        String list = properties.getProperty("streams", "").strip();
        if (list.isEmpty()) {
            list = properties.getProperty("streamArn", "").strip();
        }
        List<StreamConfig> configs = new ArrayList<>();
        if (list.isEmpty()) {
            if (config.retrievalSpecificConfig() instanceof FanOutConfig fanOut && fanOut.consumerArn() != null) {
                confirm(fanOut, named.streamIdentifier(), fanOut.consumerArn());
            }
            configs.add(named);
            return new Streams(configs, false);
        }
        String[] elements = list.split(",");
        Map<String, String> seen = new LinkedHashMap<>(); // by ARN, as it was given
        for (String element : elements) {
            String[] words = element.strip().split("\\s+");
            StreamIdentifier stream;
            if (elements.length > 1) {
                stream = describe(config.kinesisClient(), words[0]);
                String before = seen.put(stream.streamArnOptional().get().toString(), words[0]);
                if (before != null) {
                    throw new IllegalArgumentException(
                            "streams: " + before + " and " + words[0] + " are the same stream; remove one");
                }
            } else if (isArn(words[0])) {
                stream = StreamIdentifier.singleStreamInstance(Arn.fromString(words[0]));
            } else {
                stream = StreamIdentifier.singleStreamInstance(words[0]);
            }
            InitialPositionInStreamExtended position = named.initialPositionInStreamExtended();
            String consumer = null;
            for (int i = 1; i < words.length; i++) {
                String value = words[i].substring(words[i].indexOf('=') + 1);
                if (words[i].startsWith("consumerArn=")) {
                    consumer = value;
                } else {
                    position = position(value);
                }
            }
            configs.add(new StreamConfig(stream, position).consumerArn(consumer));
        }
        Streams streams = new Streams(configs, configs.size() > 1);
        streams.configure(config);
        return streams;
    }

    private Streams(List<StreamConfig> configs, boolean several) {
        this.several = several;
        configs.forEach(config -> all.put(config.streamIdentifier().serialize(), config));
    }

    private static boolean isArn(String stream) {
        return stream.startsWith("arn:");
    }

    private static InitialPositionInStreamExtended position(String value) {
        if (value.equals("LATEST") || value.equals("TRIM_HORIZON")) {
            return InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.valueOf(value));
        }
        return InitialPositionInStreamExtended.newInitialPositionAtTimestamp(Date.from(Instant.parse(value)));
    }

    /** Changes KCL's configuration for these streams, and nothing else of it. */
    private void configure(RetrievalConfig config) throws Exception {
        StreamConfig first = all.values().iterator().next();
        if (config.retrievalSpecificConfig() instanceof FanOutConfig fanOut) {
            if (several && fanOut.consumerArn() != null) {
                throw new IllegalArgumentException("fanoutConfig.consumerArn is a consumer of one stream, and there are several;"
                        + " set consumerArn beside each stream, in streams");
            }
            setConsumers(fanOut);
            if (several) {
                fanOut.streamName(null);
            } else if (first.consumerArn() != null) {
                fanOut.consumerArn(first.consumerArn());
            }
        } else if (config.retrievalSpecificConfig() instanceof PollingConfig polling) {
            if (several) {
                polling.streamName(null);
            }
            if (first.streamIdentifier().streamArnOptional().isPresent()) {
                requireArns();
            }
        }
        config.streamTracker(several ? new Several() : new SingleStreamTracker(first.streamIdentifier(), first));
    }

    /** Finds, registers or confirms the consumers of all streams concurrently: each takes at least a second. */
    private void setConsumers(FanOutConfig config) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool(work -> Control.daemon("consumers", work));
        try {
            List<Future<?>> calls = new ArrayList<>();
            for (StreamConfig stream : all.values()) {
                calls.add(threads.submit(() -> {
                    setConsumer(config, stream);
                    return null;
                }));
            }
            for (Future<?> call : calls) {
                call.get();
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        } finally {
            threads.shutdownNow();
        }
    }

    private static void setConsumer(FanOutConfig config, StreamConfig stream) throws Exception {
        StreamIdentifier id = stream.streamIdentifier();
        String consumer = stream.consumerArn() != null ? stream.consumerArn() : config.consumerArn();
        if (consumer != null) {
            confirm(config, id, consumer);
        } else if (id.streamArnOptional().isPresent()) {
            // KCL would look for a consumer of the stream of that name in the own account.
            stream.consumerArn(register(config, id.streamArnOptional().get()));
        }
    }

    /** Throws if a consumer does not belong to the stream, but perhaps to one of that name in another account. */
    private static void confirm(FanOutConfig config, StreamIdentifier stream, String consumer) throws Exception {
        if (stream.streamArnOptional().isEmpty()) {
            stream = describe(config.kinesisClient(), stream.streamName());
        }
        String arn = stream.streamArnOptional().get().toString();
        if (!consumer.startsWith(arn + "/consumer/")) {
            throw new IllegalArgumentException("the consumer " + consumer + " is not one of the stream that is read, " + arn
                    + "; set consumerArn to one of this stream, or name the other stream by its ARN");
        }
    }

    /** Throws with KCL 2, which ignores ARNs when it polls: it would read another stream of that name. */
    private static void requireArns() {
        for (Method method : SynchronousBlockingRetrievalFactory.class.getDeclaredMethods()) {
            if (List.of(method.getParameterTypes()).contains(StreamIdentifier.class)) {
                return;
            }
        }
        throw new IllegalArgumentException("KCL " + Entry.version()
                + " cannot poll a stream by its ARN, nor several; use retrievalMode FANOUT, or a KCL of version 3");
    }

    private final class Several implements MultiStreamTracker {
        @Override
        public List<StreamConfig> streamConfigList() {
            return new ArrayList<>(all.values());
        }

        /** A stream that has leases was read and may be read again, so its leases are kept. */
        @Override
        public FormerStreamsLeasesDeletionStrategy formerStreamsLeasesDeletionStrategy() {
            return new FormerStreamsLeasesDeletionStrategy.NoLeaseDeletionStrategy();
        }

        /** KCL calls it for streams that are only in the lease table. They are not read. */
        @Override
        public StreamConfig createStreamConfig(StreamIdentifier stream) {
            StreamConfig known = all.get(stream.serialize());
            if (known != null) {
                return known;
            }
            StreamConfig first = all.values().iterator().next();
            Arn arn = first.streamIdentifier().streamArnOptional().get().toBuilder()
                    .accountId(stream.accountIdOptional().get())
                    .resource("stream/" + stream.streamName())
                    .build();
            return new StreamConfig(
                    StreamIdentifier.multiStreamInstance(arn, stream.streamCreationEpochOptional().get()),
                    first.initialPositionInStreamExtended());
        }
    }

    /** Returns whether the leases have the form for several streams. */
    boolean several() {
        return several;
    }

    /** Returns the stream with KCL's identifier, which is empty with a single stream. */
    StreamConfig config(String identifier) {
        return several ? all.get(identifier) : all.values().iterator().next();
    }

    StreamConfig config(ShardInfo lease) {
        return config(lease.streamIdentifierSerOpt().orElse(""));
    }

    /**
     * Returns the leases whose stream is read. The leader may also assign leases of a stream that was
     * removed, or that only newer workers read. These leases are kept, and their shards are not read:
     * the next worker that reads them begins at their checkpoints.
     */
    List<ShardInfo> read(List<ShardInfo> leases) {
        if (!several) {
            return leases;
        }
        List<ShardInfo> read = new ArrayList<>(leases.size());
        for (ShardInfo lease : leases) {
            String stream = lease.streamIdentifierSerOpt().orElse("");
            if (all.containsKey(stream)) {
                read.add(lease);
            } else if (warned.add(stream)) {
                LOG.warn("leases of the stream {} were assigned to this worker, which does not read it: it is not in streams,"
                        + " or was created again since; they are kept unread, and count against maxLeasesForWorker."
                        + " If no worker will read it, delete them: kcl-infra delete --leases-of", stream);
            }
        }
        return read;
    }

    /** Asks Kinesis for the stream's ARN and its time of creation, which are part of lease keys. */
    private static StreamIdentifier describe(KinesisAsyncClient client, String stream) throws Exception {
        DescribeStreamSummaryRequest.Builder request = DescribeStreamSummaryRequest.builder();
        if (isArn(stream)) {
            request.streamARN(stream);
        } else {
            request.streamName(stream);
        }
        StreamDescriptionSummary is = attempt("stream " + stream + ": DescribeStreamSummary",
                "allow it, in another account's stream by its resource policy (see kcl-infra iam-policy)",
                () -> client.describeStreamSummary(request.build())
                        .get(CALL_SECONDS, TimeUnit.SECONDS)
                        .streamDescriptionSummary());
        if (isArn(stream) && !stream.equals(is.streamARN())) {
            throw new IllegalStateException("Kinesis was asked for " + stream + " and described " + is.streamARN());
        }
        return StreamIdentifier.multiStreamInstance(
                Arn.fromString(is.streamARN()), is.streamCreationTimestamp().getEpochSecond());
    }

    /**
     * Calls Kinesis until it answers, or fails in a way that a retry cannot help. denied says what to do
     * about AccessDeniedException.
     */
    private static <T> T attempt(String what, String denied, Callable<T> call) throws InterruptedException {
        for (int attempt = 1; ; attempt++) {
            Throwable t;
            try {
                return call.call();
            } catch (InterruptedException e) {
                throw e;
            } catch (Exception e) {
                t = cause(e);
            }
            if (attempt == ATTEMPTS || !passes(t)) {
                throw refused(what, t, denied);
            }
            LOG.warn("{}: trying again", what, t);
            Control.sleep(BACKOFF_MILLIS);
        }
    }

    /** Returns the exception of the AWS SDK among the causes, or else the innermost cause. */
    static Throwable cause(Throwable t) {
        while (!(t instanceof SdkException) && t.getCause() != null) {
            t = t.getCause();
        }
        return t;
    }

    /** Returns whether a retry may succeed. */
    static boolean passes(Throwable t) {
        return !(t instanceof AwsServiceException e)
                || e.isThrottlingException()
                || e.statusCode() >= 500
                || code(e).equals("LimitExceededException");
    }

    private static String code(AwsServiceException e) {
        return e.awsErrorDetails() == null ? "" : String.valueOf(e.awsErrorDetails().errorCode());
    }

    /** Returns an error that says first what to do, then what Kinesis answered, because long messages are cut. */
    private static IllegalStateException refused(String what, Throwable t, String denied) {
        if (!(t instanceof AwsServiceException e)) {
            return new IllegalStateException(what + ": " + t);
        }
        String todo = switch (code(e)) {
            case "ResourceNotFoundException" -> "; there is no such stream: look at its name, account and region";
            case "AccessDeniedException" -> "; " + denied;
            default -> "";
        };
        String message = e.awsErrorDetails() == null ? null : e.awsErrorDetails().errorMessage();
        return new IllegalStateException(what + ": " + code(e) + todo + (message == null ? "" : ": " + message));
    }

    /**
     * Returns the ARN of a stream's consumer, which KCL's own class finds or registers. That class asks
     * for the ARN of the stream by its name; the proxy answers it. It gives up after about ten seconds,
     * but a new consumer may be CREATING for longer.
     */
    private static String register(FanOutConfig config, Arn stream) throws InterruptedException {
        CompletableFuture<DescribeStreamSummaryResponse> known = CompletableFuture.completedFuture(
                DescribeStreamSummaryResponse.builder()
                        .streamDescriptionSummary(is -> is.streamARN(stream.toString()))
                        .build());
        KinesisAsyncClient real = config.kinesisClient();
        KinesisAsyncClient client = Retrieval.proxy(KinesisAsyncClient.class, real, (method, args) ->
                method.getName().equals("describeStreamSummary") ? known : method.invoke(real, args));
        String name = config.consumerName() != null ? config.consumerName() : config.applicationName();
        return attempt("stream " + stream + ": the consumer " + name + " is not found or registered",
                "set consumerArn: a consumer of another account's stream is registered there",
                () -> new FanOutConsumerRegistration(
                                client,
                                stream.toString(),
                                name,
                                config.maxDescribeStreamSummaryRetries(),
                                config.maxDescribeStreamConsumerRetries(),
                                config.registerStreamConsumerRetries(),
                                config.retryBackoffMillis())
                        .getOrCreateStreamConsumerArn());
    }
}
