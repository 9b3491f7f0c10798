import java.beans.PropertyDescriptor;
import java.io.InputStream;
import java.lang.reflect.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.jar.*;
import java.util.stream.Collectors;
import org.apache.commons.beanutils.*;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.kinesis.multilang.MultiLangDaemonConfig;
import software.amazon.kinesis.multilang.config.*;
import software.amazon.kinesis.processor.ShardRecordProcessorFactory;

/**
 * Finds out, from the daemon's own classes, which properties it reads, their
 * types, and whether setting them changes anything; and which credentials
 * providers it can make. It prints a line for each.
 */
public class KnownKeys {
    /** A key: its type and other findings. */
    static final class Key {
        String type;
        boolean used = true; // its effect may not be visible in the configuration
        Set<String> modes = new TreeSet<>(MODES); // the retrieval modes in which it has an effect
        boolean zeroIgnored;
        String normal; // the default, "" if unknown
        String chooses = ""; // the values with which it chooses the mode if none is set

        Key(String type) { this.type = type; }

        @Override
        public String toString() {
            return type + (modes.isEmpty() ? " ignored" : "")
                    + (modes.size() == 1 ? " only=" + modes.iterator().next() : "")
                    + (chooses.isEmpty() ? "" : " chooses=" + chooses)
                    + (zeroIgnored ? " zero-ignored" + (normal.isEmpty() ? "" : "=" + normal) : "");
        }
    }

    static final List<String> MODES = List.of("FANOUT", "POLLING");

    static final ShardRecordProcessorFactory NO_FACTORY = () -> null;

    public static void main(String[] args) throws Exception {
        silence();
        keys().forEach((name, k) -> System.out.println(name + " " + k));
        providers().forEach((name, arguments) -> System.out.println("provider:" + name + " class"
                + (arguments == 0 ? "" : " arguments=" + arguments)
                + (most(name) < 0 ? "" : " most=" + most(name)) + builders(name)));
        System.out.println("regions " + software.amazon.awssdk.regions.Region.regions().stream()
                .filter(r -> !r.isGlobalRegion()).map(Object::toString).sorted().collect(Collectors.joining(",")));
        System.exit(0); // the clients have threads
    }

    static void silence() {
        ((ch.qos.logback.classic.Logger) org.slf4j.LoggerFactory.getLogger("ROOT")).setLevel(ch.qos.logback.classic.Level.OFF);
    }

    // The properties that the daemon reads.

    static Map<String, Key> keys() throws Exception {
        Map<String, Key> keys = new TreeMap<>();
        for (Field f : MultiLangDaemonConfig.class.getDeclaredFields()) {
            if (Modifier.isStatic(f.getModifiers()) && f.getName().startsWith("PROP_")) {
                f.setAccessible(true);
                String name = (String) f.get(null);
                keys.put(name, new Key(readAsNumber(name) ? "parsed-int" : "string"));
            }
        }
        MultiLangDaemonConfiguration c = configuration(base("POLLING"));
        for (PropertyDescriptor p : new PropertyUtilsBean().getPropertyDescriptors(c)) {
            if (p.getWriteMethod() != null) {
                keys.put(p.getName(), setter(p));
            } else if (BuilderDynaBean.class.isAssignableFrom(p.getPropertyType())) {
                BuilderDynaBean bean = (BuilderDynaBean) p.getReadMethod().invoke(c);
                nested(p.getName(), bean, keys);
            } else if (p.getPropertyType().getSimpleName().endsWith("ConfigBean")) {
                for (PropertyDescriptor q : new PropertyUtilsBean().getPropertyDescriptors(p.getPropertyType())) {
                    if (q.getWriteMethod() != null) {
                        keys.put(p.getName() + "." + q.getName(), setter(q));
                    }
                }
            }
        }
        String users = getters();
        Map<String, List<String>> unset = new TreeMap<>();
        for (String mode : MODES) {
            unset.put(mode, dump(base(mode)));
        }
        for (Map.Entry<String, Key> e : keys.entrySet()) {
            Key k = e.getValue();
            if (!k.used && !users.contains(getter(e.getKey()))) {
                honoured(e.getKey(), k, unset);
                chooses(e.getKey(), k);
            }
        }
        return keys;
    }

    /** The properties with which a client and its parts are built. */
    static void nested(String path, BuilderDynaBean bean, Map<String, Key> keys) throws Exception {
        keys.put(path + ".class", new Key("any"));
        if (!bean.canBuildOrCreate()) { // it depends on a class, whose properties may have any names
            keys.put(path + ".*", new Key("any"));
            return;
        }
        for (DynaProperty q : bean.getDynaClass().getDynaProperties()) {
            String name = path + "." + q.getName();
            keys.put(name, new Key(text(path, q) ? type(q.getType()) : "object"));
            if (q.getType() == BuilderDynaBean.class && bean.get(q.getName()) instanceof BuilderDynaBean) {
                nested(name, (BuilderDynaBean) bean.get(q.getName()), keys);
            } else if (q.getType() == Object.class) {
                keys.put(name + ".*", new Key("any"));
            }
        }
    }

    /** The properties with which a provider class is built, if it has a builder. */
    static String builders(String name) {
        try {
            Properties p = base("POLLING");
            p.remove("AwsCredentialsProvider");
            p.setProperty("kinesisCredentialsProvider.class", name);
            DynaProperty[] all = configuration(p).getKinesisCredentialsProvider().getDynaClass().getDynaProperties();
            String list = Arrays.stream(all).map(DynaProperty::getName).sorted().collect(Collectors.joining(","));
            return " takes=" + list;
        } catch (RuntimeException e) {
            return ""; // not in this package, or without a builder
        }
    }

    static boolean readAsNumber(String name) throws Exception {
        Properties p = base("POLLING");
        p.setProperty("executableName", "x");
        p.setProperty(name, "x");
        Path file = Files.createTempFile("keys", ".properties");
        try (var out = Files.newOutputStream(file)) {
            p.store(out, null);
            new MultiLangDaemonConfig(file.toString());
            return false;
        } catch (NumberFormatException e) {
            return true;
        } finally {
            Files.delete(file);
        }
    }

    /** A property of the configuration itself. */
    static Key setter(PropertyDescriptor p) {
        Key k = new Key(p.getName().startsWith("awsCredentialsProvider") ? "providers" : type(p.getPropertyType()));
        k.used = Set.of("object", "providers").contains(k.type);
        return k;
    }

    static String type(Class<?> t) {
        if (t.isEnum()) {
            return "enum:" + String.join(",", Arrays.stream(t.getEnumConstants()).map(v -> ((Enum<?>) v).name())
                    .filter(v -> !v.equals("UNKNOWN_TO_SDK_VERSION")).toArray(String[]::new));
        }
        switch (t.getSimpleName()) {
            case "int": case "Integer": return "int";
            case "long": case "Long": return "long";
            case "boolean": case "Boolean": return "boolean";
            case "double": return "double";
            case "String": case "Region": case "URI": return "string";
            case "String[]": return "strings";
            case "Duration": return "duration";
            case "TagCollection": return "tags";
            case "InitialPositionInStreamExtended": return "seconds";
            default: return "object";
        }
    }

    /** Whether a client accepts a text for a property of its builder. */
    static boolean text(String client, DynaProperty property) throws Exception {
        for (String value : samples(type(property.getType()))) {
            Properties p = base("POLLING");
            p.setProperty(client + "." + property.getName(), value);
            try {
                dump(p);
                return true;
            } catch (RuntimeException e) {
                // Try the next value.
            }
        }
        return false;
    }

    /**
     * The credentials providers on the class path that the daemon can make, by
     * each of their names, with the number of arguments that they need.
     */
    static Map<String, Integer> providers() throws Exception {
        Map<String, Integer> found = new TreeMap<>();
        for (String jar : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
            if (!jar.endsWith(".jar")) {
                continue;
            }
            try (JarFile f = new JarFile(jar)) {
                for (JarEntry e : Collections.list(f.entries())) {
                    String name = e.getName().replace('/', '.').replaceAll("\\.class$", "");
                    if (e.getName().matches("software/amazon/.*Credentials[^/$]*\\.class") && isProvider(name)) {
                        provider(name, found);
                        provider(name.substring(name.lastIndexOf('.') + 1), found);
                    }
                }
            }
        }
        return found;
    }

    static boolean isProvider(String name) {
        try {
            Class<?> c = Class.forName(name, false, KnownKeys.class.getClassLoader());
            return AwsCredentialsProvider.class.isAssignableFrom(c) && !Modifier.isAbstract(c.getModifiers());
        } catch (ClassNotFoundException | LinkageError e) {
            return false; // it needs a class that this daemon does not have
        }
    }

    /** Makes the daemon make a provider, with more and more arguments. */
    static void provider(String name, Map<String, Integer> found) {
        String value = name;
        for (int arguments = 0; arguments <= 3; arguments++, value += "|x") {
            Properties p = base("POLLING");
            p.setProperty("AwsCredentialsProvider", value);
            try {
                configuration(p);
                found.put(name, arguments);
                return;
            } catch (RuntimeException e) {
                // Too few arguments.
            }
        }
    }

    /** The maximum number of a provider's arguments; with more the daemon makes it without any. */
    static int most(String name) {
        String real = name.replaceFirst("^(software\\.amazon\\.awssdk\\.services\\.sts\\.auth\\.)?StsAssumeRole", "KclStsAssumeRole");
        for (String prefix : new String[] {"software.amazon.kinesis.multilang.auth.", "software.amazon.awssdk.auth.credentials.", ""}) {
            try {
                Class<?> c = Class.forName(prefix + real);
                List<Executable> makers = new ArrayList<>(List.of(c.getConstructors()));
                Arrays.stream(c.getMethods()).filter(m -> m.getName().equals("create") && Modifier.isStatic(m.getModifiers())).forEach(makers::add);
                if (makers.stream().anyMatch(m -> Arrays.equals(m.getParameterTypes(), new Class<?>[] {String[].class}))) {
                    return -1;
                }
                return makers.stream().filter(m -> Arrays.stream(m.getParameterTypes()).allMatch(t -> t == String.class))
                        .mapToInt(Executable::getParameterCount).max().orElse(0);
            } catch (ClassNotFoundException e) {
                // It has another prefix.
            }
        }
        return -1;
    }

    static String getter(String key) {
        String last = key.substring(key.lastIndexOf('.') + 1);
        return "get" + Character.toUpperCase(last.charAt(0)) + last.substring(1);
    }

    /** The names in the daemon's classes, other than the configuration classes. */
    static String getters() throws Exception {
        StringBuilder all = new StringBuilder();
        Path jar = Path.of(MultiLangDaemonConfig.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        try (JarFile f = new JarFile(jar.toFile())) {
            for (JarEntry e : Collections.list(f.entries())) {
                if (e.getName().matches("software/amazon/kinesis/multilang/[^/]*\\.class")) {
                    all.append(new String(f.getInputStream(e).readAllBytes(), StandardCharsets.ISO_8859_1));
                }
            }
        }
        return all.toString();
    }

    // The effects of the properties.

    static void honoured(String name, Key k, Map<String, List<String>> unset) throws Exception {
        k.modes.clear();
        for (String mode : MODES) {
            for (String value : samples(k.type)) {
                Properties p = base(mode);
                p.setProperty(name, value);
                List<String> lines;
                try {
                    lines = dump(p);
                } catch (RuntimeException e) {
                    k.modes.add(mode); // at least it is read
                    break;
                }
                Set<String> changed = new TreeSet<>(unset.get(mode));
                changed.removeAll(lines);
                if (changed.isEmpty()) {
                    continue;
                }
                k.modes.add(mode);
                // A primitive that is 0 counts as not set.
                if (Set.of("int", "long", "double", "boolean").contains(k.type)) {
                    p.setProperty(name, k.type.equals("boolean") ? "false" : "0");
                    String line = changed.iterator().next();
                    k.normal = line.substring(line.indexOf('=') + 1).replaceAll("\\.0$", "");
                    k.zeroIgnored = !Set.of("0", "false").contains(k.normal) && dump(p).equals(unset.get(mode));
                    if (changed.size() > 1 || k.normal.equals("null")) {
                        k.normal = "";
                    }
                }
                break;
            }
        }
    }

    /** If no mode is set, some properties of a mode choose it. */
    static void chooses(String name, Key k) throws Exception {
        if (k.modes.size() != 1 || !Set.of("int", "long").contains(k.type)) {
            return;
        }
        for (String value : new String[] {"77", "0"}) {
            Properties p = base("DEFAULT");
            String mode = retrieval(p);
            p.setProperty(name, value);
            if (!retrieval(p).equals(mode)) {
                k.chooses = value.equals("0") ? "any" : "nonzero";
            }
        }
    }

    /** The class of the retrieval configuration. */
    static String retrieval(Properties p) throws Exception {
        return dump(p).stream().filter(line -> line.matches("[^:=]*\\.retrievalSpecificConfig:.*")).findFirst().orElseThrow();
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
            case "string": return new String[] {"eu-west-3", "http://127.0.0.1:1"};
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

    /** The daemon's configuration, a line for each value. */
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
                || o instanceof Duration || o instanceof Date || o instanceof java.net.URI
                || o instanceof software.amazon.awssdk.regions.Region || o instanceof Class) {
            lines.add(path + "=" + o);
        } else if (o instanceof Optional) {
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
            if (seen.put(o, true) != null) return;
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
}
