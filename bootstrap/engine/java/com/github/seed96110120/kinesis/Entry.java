package com.github.seed96110120.kinesis;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Properties;

/**
 * Runs KCL for a Go process, which has started this one and listens at a Unix socket. It takes
 * four arguments: the socket's path, the properties file's, how long the Go process may be silent
 * in milliseconds, and the least level of what is logged. The token that the Go process wants to
 * see comes on standard input, which stays open for as long as the Go process lives.
 *
 * <p>The classes, from here to the records: {@link Control} is the connection for events and
 * commands, {@link Engine} is KCL with what is added to it, {@link Conversation} is one lease,
 * {@link Streams} are what is read, {@link Retrieval} watches over the reading of a shard.
 */
final class Entry {
    // Exit statuses.
    static final int STOPPED = 0;
    static final int FAILED = 1;
    static final int ORPHANED = 2;
    static final int SILENCE = 5; // 3 is ExitOnOutOfMemoryError's
    static final int INCOMPLETE = 4;

    public static void main(String[] args) {
        Control control = null;
        try {
            Path socket = Path.of(args[0]);
            long silenceMillis = Long.parseLong(args[2]);
            String token = readLine(System.in);
            watch(System.in);
            ignoreSignals();
            control = new Control(socket, token, version(), silenceMillis);
            String missing = Linkage.missing();
            if (missing != null) {
                control.send(Control.event("unlinked").put("member", missing).put("kcl", version()));
                control.exit(FAILED);
            }
            Log.install(control, args[3]);
            Engine engine = new Engine(control, socket, token, args[1]);
            control.serve(engine);
            engine.run();
            if (engine.isStopping()) {
                Thread.currentThread().join(); // whoever stops it ends the process
            }
            fail(control, engine.failure());
        } catch (Throwable t) {
            fail(control, t);
        }
    }

    /** Ends the process, and says why. */
    static void fail(Control control, Throwable t) {
        if (control == null) {
            System.err.println(t);
            Runtime.getRuntime().halt(FAILED);
        }
        control.send(Control.event("failed").set("causes", Control.causes(t)));
        control.exit(FAILED);
    }

    /** Ends the process as soon as standard input ends: then the Go process has gone. */
    private static void watch(InputStream in) {
        Control.daemon("watch", () -> {
            try {
                while (in.read() >= 0) {
                    // Nothing more is expected.
                }
            } catch (Exception e) {
                // As good as its end.
            }
            Runtime.getRuntime().halt(ORPHANED);
        }).start();
    }

    /**
     * Keeps a SIGTERM that a service manager sends to all of a service from ending the process:
     * it ends when the Go process says so. Java has no other way that is its own: a hook that
     * does not return holds the end up, and everything else goes on.
     */
    private static void ignoreSignals() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                Thread.sleep(Long.MAX_VALUE);
            } catch (InterruptedException e) {
                // The end may come.
            }
        }));
    }

    private static String readLine(InputStream in) throws Exception {
        byte[] line = new byte[256];
        int n = 0;
        for (int b; (b = in.read()) >= 0 && b != '\n' && n < line.length; ) {
            line[n++] = (byte) b;
        }
        return new String(line, 0, n, StandardCharsets.US_ASCII);
    }

    /** Returns KCL's version, "unknown" if its jar does not tell. */
    static String version() {
        String name = "/META-INF/maven/software.amazon.kinesis/amazon-kinesis-client/pom.properties";
        try (InputStream in = Entry.class.getResourceAsStream(name)) {
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version", "unknown");
        } catch (Exception e) {
            return "unknown";
        }
    }
}
