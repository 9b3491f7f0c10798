import java.lang.reflect.Method;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Scanner;
import software.amazon.awssdk.arns.Arn;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.DdbTableConfig;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.StreamIdentifier;
import software.amazon.kinesis.leases.HierarchicalShardSyncer;
import software.amazon.kinesis.leases.KinesisShardDetector;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseRefresher;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseSerializer;
import software.amazon.kinesis.leases.dynamodb.DynamoDBMultiStreamLeaseSerializer;
import software.amazon.kinesis.leases.dynamodb.TableCreatorCallback;
import software.amazon.kinesis.metrics.NullMetricsScope;

/**
 * Has KCL's own classes write the first leases of streams into tables, as a leader does at its
 * start. Arguments: Kinesis' and DynamoDB's URL and the access key ID. Each line of standard
 * input is a table, a position, and for each stream its ARN and, after an @, its creation in
 * seconds.
 */
class FirstSync {
    public static void main(String[] args) throws Exception {
        withoutStreamIds();
        KinesisAsyncClient kinesis = at(KinesisAsyncClient.builder(), args[0], args[2]);
        DynamoDbAsyncClient dynamoDb = at(DynamoDbAsyncClient.builder(), args[1], args[2]);
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine(); ) {
            List<String> words = List.of(lines.nextLine().split(" "));
            sync(kinesis, dynamoDb, words.get(0), words.get(1), words.subList(2, words.size()));
        }
        System.exit(0);
    }

    private static void sync(
            KinesisAsyncClient kinesis, DynamoDbAsyncClient dynamoDb, String table, String at, List<String> streams)
            throws Exception {
        boolean several = streams.size() > 1;
        Duration patience = Duration.ofSeconds(30);
        DynamoDBLeaseRefresher leases = new DynamoDBLeaseRefresher(
                table,
                dynamoDb,
                several ? new DynamoDBMultiStreamLeaseSerializer() : new DynamoDBLeaseSerializer(),
                true,
                TableCreatorCallback.NOOP_TABLE_CREATOR_CALLBACK,
                patience,
                new DdbTableConfig().billingMode(BillingMode.PAY_PER_REQUEST),
                false,
                false,
                List.of());
        InitialPositionInStreamExtended position = InitialPositionInStreamExtended.newInitialPosition(
                InitialPositionInStream.valueOf(at));
        for (String stream : streams) {
            Arn arn = Arn.fromString(stream.substring(0, stream.indexOf('@')));
            long epoch = Long.parseLong(stream.substring(stream.indexOf('@') + 1));
            StreamIdentifier id = several
                    ? StreamIdentifier.multiStreamInstance(arn, epoch)
                    : StreamIdentifier.singleStreamInstance(arn);
            new HierarchicalShardSyncer(several, id.serialize())
                    .checkAndCreateLeaseForNewShards(
                            new KinesisShardDetector(kinesis, id, 500, 10, 30, 1000, 100, patience),
                            leases,
                            position,
                            new NullMetricsScope(),
                            false,
                            leases.isLeaseTableEmpty());
        }
    }

    /** KCL 3.5 looks for the IDs of streams, of which nobody has any yet, in a cache of the Scheduler's. */
    private static void withoutStreamIds() throws ReflectiveOperationException {
        String cache = "software.amazon.kinesis.coordinator.streamInfo.StreamIdCache";
        try {
            for (Method method : Class.forName(cache).getMethods()) {
                if (method.getName().equals("initialize")) {
                    method.invoke(null, null, method.getParameterTypes()[1].getField("NOT_ONBOARDED").get(null));
                }
            }
        } catch (ClassNotFoundException e) {
            // before 3.5
        }
    }

    private static <B extends AwsClientBuilder<B, C>, C> C at(B builder, String url, String account) {
        return builder.endpointOverride(URI.create(url))
                .region(Region.US_EAST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(account, "secret")))
                .build();
    }
}
