import java.beans.PropertyDescriptor;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.apache.commons.beanutils.PropertyUtilsBean;
import software.amazon.kinesis.multilang.MultiLangDaemonConfig;
import software.amazon.kinesis.multilang.config.BuilderDynaBean;
import software.amazon.kinesis.multilang.config.KinesisClientLibConfigurator;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.processor.ShardRecordProcessorFactory;

/**
 * Finds out, from the daemon's own classes, which properties it reads, what
 * type each has, and whether setting it changes anything. Without an argument
 * it prints a line for each. With "try" it reads pairs of lines from standard
 * input, a property and a value, and says what the daemon makes of them.
 */
public class KnownKeys {
    /** A key: its type, and what was found out about it. */
    static final class Key {
        String type;
        boolean daemon; // the daemon reads it by itself
        boolean honoured = true;
        boolean zeroIgnored;
        String normal; // the value where it is not set, "" if not known
    }

    static final ShardRecordProcessorFactory NO_FACTORY = () -> null;

    public static void main(String[] args) throws Exception {
        ((ch.qos.logback.classic.Logger) org.slf4j.LoggerFactory.getLogger("ROOT")).setLevel(ch.qos.logback.classic.Level.OFF);
        if (args.length > 0 && args[0].equals("try")) {
            attempts();
        } else {
            keys().forEach((name, k) -> System.out.println(name + " " + k.type
                    + (k.honoured ? "" : " ignored") + (k.zeroIgnored ? " zero-ignored" + (k.normal.isEmpty() ? "" : "=" + k.normal) : "")));
        }
        System.exit(0); // the clients have threads
    }

    // What the daemon reads.

    static Map<String, Key> keys() throws Exception {
        Map<String, Key> keys = new TreeMap<>();
        for (Field f : MultiLangDaemonConfig.class.getDeclaredFields()) {
            if (Modifier.isStatic(f.getModifiers()) && f.getName().startsWith("PROP_")) {
                f.setAccessible(true);
                String name = (String) f.get(null);
                Key k = new Key();
                k.type = readAsNumber(name) ? "int" : "string";
                k.daemon = true;
                keys.put(name, k);
            }
        }
        MultiLangDaemonConfiguration c = configuration(base("POLLING"));
        for (PropertyDescriptor p : new PropertyUtilsBean().getPropertyDescriptors(c)) {
            if (p.getWriteMethod() != null) {
                keys.put(p.getName(), key(p));
            } else if (BuilderDynaBean.class.isAssignableFrom(p.getPropertyType())) {
                Key k = new Key();
                k.type = "any";
                keys.put(p.getName() + ".*", k);
            } else if (p.getPropertyType().getSimpleName().endsWith("ConfigBean")) {
                for (PropertyDescriptor q : new PropertyUtilsBean().getPropertyDescriptors(p.getPropertyType())) {
                    if (q.getWriteMethod() != null) {
                        keys.put(p.getName() + "." + q.getName(), key(q));
                    }
                }
            }
        }
        String users = getters();
        Map<String, List<String>> unset = new TreeMap<>();
        for (String mode : new String[] {"POLLING", "FANOUT"}) {
            unset.put(mode, dump(base(mode)));
        }
        for (Map.Entry<String, Key> e : keys.entrySet()) {
            if (!e.getValue().type.equals("any") && !e.getValue().daemon && !users.contains(getter(e.getKey()))) {
                honoured(e.getKey(), e.getValue(), unset);
            }
        }
        return keys;
    }

    static boolean readAsNumber(String name) throws Exception {
        Properties p = base("POLLING");
        p.setProperty("executableName", "x");
        p.setProperty(name, "x");
        Path file = Files.createTempFile("keys", ".properties");
        try {
            try (var out = Files.newOutputStream(file)) {
                p.store(out, null);
            }
            new MultiLangDaemonConfig(file.toString());
            return false;
        } catch (NumberFormatException e) {
            return true;
        } finally {
            Files.delete(file);
        }
    }

    static Key key(PropertyDescriptor p) {
        Class<?> t = p.getPropertyType();
        Key k = new Key();
        if (t.isEnum()) {
            k.type = "enum:" + String.join(",", Arrays.stream(t.getEnumConstants()).map(v -> ((Enum<?>) v).name())
                    .filter(v -> !v.equals("UNKNOWN_TO_SDK_VERSION")).toArray(String[]::new));
        } else {
            k.type = Map.ofEntries(
                            Map.entry("int", "int"), Map.entry("Integer", "int"), Map.entry("long", "long"),
                            Map.entry("Long", "long"), Map.entry("double", "double"), Map.entry("boolean", "boolean"),
                            Map.entry("Boolean", "boolean"), Map.entry("String", "string"),
                            Map.entry("String[]", "strings"), Map.entry("Duration", "duration"),
                            Map.entry("Region", "string"), Map.entry("TagCollection", "tags"),
                            Map.entry("InitialPositionInStreamExtended", "seconds"))
                    .getOrDefault(t.getSimpleName(), "object");
        }
        return k;
    }

    static String getter(String key) {
        String last = key.substring(key.lastIndexOf('.') + 1);
        return "get" + Character.toUpperCase(last.charAt(0)) + last.substring(1);
    }

    /** The names in the daemon's classes other than those that hold the configuration. */
    static String getters() throws Exception {
        StringBuilder all = new StringBuilder();
        Path jar = Path.of(MultiLangDaemonConfig.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        try (JarFile f = new JarFile(jar.toFile())) {
            for (JarEntry e : (Iterable<JarEntry>) f.stream()::iterator) {
                if (e.getName().matches("software/amazon/kinesis/multilang/[^/]*\\.class")) {
                    try (InputStream in = f.getInputStream(e)) {
                        all.append(new String(in.readAllBytes(), StandardCharsets.ISO_8859_1));
                    }
                }
            }
        }
        return all.toString();
    }

    // Whether it makes a difference.

    static void honoured(String name, Key k, Map<String, List<String>> unset) throws Exception {
        k.honoured = false;
        for (String mode : unset.keySet()) {
            for (String value : samples(k.type)) {
                Properties p = base(mode);
                p.setProperty(name, value);
                List<String> lines;
                try {
                    lines = dump(p);
                } catch (RuntimeException e) {
                    k.honoured = true; // it is looked at, to say the least
                    return;
                }
                Set<String> changed = new TreeSet<>(unset.get(mode));
                changed.removeAll(lines);
                if (changed.isEmpty()) {
                    continue;
                }
                k.honoured = true;
                // A primitive that is 0 is taken for one that nobody has set.
                if (Set.of("int", "long", "double", "boolean").contains(k.type)) {
                    p.setProperty(name, k.type.equals("boolean") ? "false" : "0");
                    String line = changed.iterator().next();
                    k.normal = line.substring(line.indexOf('=') + 1).replaceAll("\\.0$", "");
                    k.zeroIgnored = !Set.of("0", "false").contains(k.normal) && dump(p).equals(unset.get(mode));
                    if (changed.size() > 1 || k.normal.equals("null")) {
                        k.normal = "";
                    }
                }
                return;
            }
        }
    }

    static String[] samples(String type) {
        switch (type) {
            case "int":
            case "long": return new String[] {"77"};
            case "double": return new String[] {"0.77"};
            case "boolean": return new String[] {"true", "false"};
            case "duration": return new String[] {"PT77M"};
            case "seconds": return new String[] {"1700000000"};
            case "tags": return new String[] {"a=b"};
            case "strings": return new String[] {"a,b"};
            case "string": return new String[] {"eu-west-3"};
            default: return type.startsWith("enum:") ? type.substring(5).split(",") : new String[] {"x"};
        }
    }

    static Properties base(String mode) {
        Properties p = new Properties();
        p.setProperty("applicationName", "application");
        p.setProperty("streamName", "stream");
        p.setProperty("regionName", "us-east-1");
        p.setProperty("workerId", "worker");
        p.setProperty("AwsCredentialsProvider", "AnonymousCredentialsProvider");
        p.setProperty("retrievalMode", mode);
        return p;
    }

    static MultiLangDaemonConfiguration configuration(Properties p) {
        return new KinesisClientLibConfigurator().getConfiguration(p);
    }

    /** All that the daemon would be run with, a line for each value. */
    static List<String> dump(Properties p) throws Exception {
        MultiLangDaemonConfiguration c = configuration(p);
        List<String> lines = new ArrayList<>();
        for (Field f : MultiLangDaemonConfiguration.class.getDeclaredFields()) {
            if (BuilderDynaBean.class.isAssignableFrom(f.getType())) {
                f.setAccessible(true);
                dump(f.getName(), f.get(c), lines, new IdentityHashMap<>());
            }
        }
        Method resolve = MultiLangDaemonConfiguration.class
                .getDeclaredMethod("resolvedConfiguration", ShardRecordProcessorFactory.class);
        resolve.setAccessible(true);
        try {
            dump("", resolve.invoke(c, NO_FACTORY), lines, new IdentityHashMap<>());
        } catch (java.lang.reflect.InvocationTargetException e) {
            throw new RuntimeException(e.getCause());
        }
        return lines;
    }

    static void dump(String path, Object o, List<String> lines, Map<Object, Boolean> seen) throws Exception {
        if (o == null || o instanceof String || o instanceof Number || o instanceof Boolean || o instanceof Enum
                || o instanceof Duration || o instanceof java.util.Date || o instanceof java.net.URI
                || o instanceof software.amazon.awssdk.regions.Region || o instanceof Class) {
            lines.add(path + "=" + o);
            return;
        }
        if (o instanceof Optional) {
            dump(path, ((Optional<?>) o).orElse(null), lines, seen);
        } else if (o instanceof Map) {
            for (Map.Entry<?, ?> e : new TreeMap<Object, Object>((Map<?, ?>) o).entrySet()) {
                dump(path + "." + e.getKey(), e.getValue(), lines, seen);
            }
        } else if (o instanceof Collection) {
            List<String> values = new ArrayList<>();
            for (Object v : (Collection<?>) o) {
                dump(path, v, values, seen);
            }
            values.sort(null);
            lines.add(path + "=" + values);
        } else if (o.getClass().getName().startsWith("software.amazon.kinesis.")
                || o.getClass().getName().endsWith("CredentialsProvider")
                || o.getClass().getName().contains("services.dynamodb.model.Tag")) {
            if (seen.put(o, true) != null) {
                return;
            }
            lines.add(path + ":" + o.getClass().getSimpleName());
            for (Class<?> t = o.getClass(); t.getName().startsWith("software.amazon."); t = t.getSuperclass()) {
                for (Field f : t.getDeclaredFields()) {
                    if (!Modifier.isStatic(f.getModifiers())) {
                        f.setAccessible(true);
                        dump(path + "." + f.getName(), f.get(o), lines, seen);
                    }
                }
            }
        }
    }

    // What the daemon makes of a value.

    static void attempts() throws Exception {
        Scanner in = new Scanner(System.in, StandardCharsets.UTF_8);
        List<String> unset = dump(base("POLLING"));
        while (in.hasNextLine()) {
            String name = in.nextLine();
            Properties p = base("POLLING");
            p.setProperty(name, in.nextLine());
            String result;
            try {
                MultiLangDaemonConfiguration c = configuration(p);
                Object got = new PropertyUtilsBean().getProperty(c, name);
                result = "is " + (got instanceof Object[] ? Arrays.toString((Object[]) got) : got);
            } catch (NoSuchMethodException e) {
                result = dump(p).equals(unset) ? "ignored" : "taken";
            } catch (Exception e) {
                result = "refused";
            }
            System.out.println(result);
        }
    }
}
