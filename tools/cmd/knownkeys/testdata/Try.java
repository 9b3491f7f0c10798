/**
 * Reads pairs of lines from standard input, a properties file and a property,
 * and prints what the daemon makes of the property. The test puts this class
 * before that of KnownKeys.java, so that Java runs it.
 */
class Try {
    public static void main(String[] args) throws Exception {
        KnownKeys.silence();
        Scanner in = new Scanner(System.in, StandardCharsets.UTF_8);
        String users = KnownKeys.getters();
        while (in.hasNextLine()) {
            String file = in.nextLine(), name = in.nextLine();
            try {
                System.out.println(attempt(file, name, users));
            } catch (Exception e) {
                System.out.println("refused");
            }
        }
        System.exit(0);
    }

    /** The daemon's configuration by the file's other properties. */
    static final Map<Properties, List<String>> WITHOUT = new HashMap<>();

    static String attempt(String file, String name, String users) throws Exception {
        MultiLangDaemonConfig daemon = new MultiLangDaemonConfig(file);
        Properties p = new Properties();
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            p.load(in);
        }
        List<String> with = KnownKeys.dump(p);
        p.remove(name);
        List<String> without = WITHOUT.get(p);
        if (without == null) {
            try {
                without = KnownKeys.dump(p);
            } catch (RuntimeException e) {
                without = List.of(); // impossible without it
            }
            WITHOUT.put(p, without);
        }
        boolean ignored = without.equals(with) && !users.contains(KnownKeys.getter(name));
        String value;
        if (name.equals("maxActiveThreads")) {
            value = "is " + ((java.util.concurrent.ThreadPoolExecutor) daemon.getExecutorService()).getMaximumPoolSize();
            ignored = false;
        } else {
            try {
                Object got = new PropertyUtilsBean().getProperty(daemon.getMultiLangDaemonConfiguration(), name);
                value = "is " + (got instanceof Object[] ? Arrays.toString((Object[]) got) : got);
            } catch (NoSuchMethodException e) {
                return ignored ? "ignored" : "taken";
            }
        }
        return value + (ignored ? ", ignored" : "");
    }
}
