import java.io.InputStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.kinesis.multilang.config.BuilderDynaBean;
import software.amazon.kinesis.multilang.config.KinesisClientLibConfigurator;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.processor.ShardRecordProcessorFactory;

/**
 * Makes of each properties file what the daemon makes of it, and prints the file
 * and the access key that its credentials provider comes to, or what it says.
 * Comments that begin with #system set Java's own properties for this file alone.
 */
class Credentials {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            Properties p = new Properties();
            try (InputStream in = Files.newInputStream(Path.of(file))) {
                p.load(in);
            }
            Properties before = (Properties) System.getProperties().clone();
            for (String line : Files.readAllLines(Path.of(file))) {
                if (line.startsWith("#system ")) {
                    String[] setting = line.substring("#system ".length()).split(" = ");
                    System.setProperty(setting[0], setting[1]);
                }
            }
            System.out.println("result " + Path.of(file).getFileName() + " " + resolve(p));
            System.setProperties(before);
        }
        System.exit(0);
    }

    static String resolve(Properties p) throws Exception {
        try {
            MultiLangDaemonConfiguration c = new KinesisClientLibConfigurator().getConfiguration(p);
            Method resolved = MultiLangDaemonConfiguration.class
                    .getDeclaredMethod("resolvedConfiguration", ShardRecordProcessorFactory.class);
            resolved.setAccessible(true);
            resolved.invoke(c, (ShardRecordProcessorFactory) () -> null);
            Field provider = MultiLangDaemonConfiguration.class.getDeclaredField("kinesisCredentialsProvider");
            provider.setAccessible(true);
            return ((BuilderDynaBean) provider.get(c)).build(AwsCredentialsProvider.class).resolveCredentials().accessKeyId();
        } catch (InvocationTargetException | RuntimeException e) {
            Throwable cause = e;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            return "failed: " + cause.toString().replace('\n', ' ');
        }
    }
}
