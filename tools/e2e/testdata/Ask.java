import java.net.URI;
import java.time.Duration;
import software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.sts.StsClient;

/**
 * Asks each URL by the two HTTP clients that KCL and its credentials use, each
 * once, as Kinesis and as STS, and prints the URL when that is done.
 */
class Ask {
    public static void main(String[] urls) {
        ClientOverrideConfiguration once = ClientOverrideConfiguration.builder()
                .retryStrategy(DefaultRetryStrategy.doNotRetry())
                .apiCallTimeout(Duration.ofSeconds(2))
                .build();
        for (String url : urls) {
            try {
                KinesisAsyncClient.builder().region(Region.US_EAST_1).endpointOverride(URI.create(url))
                        .credentialsProvider(AnonymousCredentialsProvider.create()).overrideConfiguration(once)
                        .build().listStreams().join();
            } catch (RuntimeException e) {
                // Nobody answers as Kinesis.
            }
            try {
                StsClient.builder().region(Region.US_EAST_1).endpointOverride(URI.create(url))
                        .credentialsProvider(AnonymousCredentialsProvider.create()).overrideConfiguration(once)
                        .build().getCallerIdentity();
            } catch (RuntimeException e) {
                // Nor as STS.
            }
            System.out.println("asked " + url);
        }
        System.exit(0);
    }
}
