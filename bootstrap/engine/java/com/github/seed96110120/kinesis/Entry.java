package com.github.seed96110120.kinesis;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Properties;

/**
 * Runs KCL for the Go process that has started this process and listens on a Unix socket. It has four
 * arguments: the path of the socket, the path of the properties file, how long the Go process may be
 * silent, in milliseconds, and the lowest level that is logged. Standard input has the token for the
 * Go process, and stays open for as long as the Go process runs.
 *
 * <p>The most important classes: {@link Control} is the connection for events and commands, {@link
 * Engine} runs KCL, {@link Conversation} serves one lease, {@link Streams} are the streams to read,
 * and {@link Retrieval} observes how KCL reads a shard.
 */
final class Entry {
    // Exit statuses.
    static final int STOPPED = 0;
    static final int FAILED = 1;
    static final int ORPHANED = 2;
    static final int SILENCE = 5; // 3 is the status of ExitOnOutOfMemoryError
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
                Thread.currentThread().join(); // the thread that stops it ends the process
            }
            fail(control, engine.failure());
        } catch (Throwable t) {
            fail(control, t);
        }
    }

    /** Reports a failure, and ends the process. */
    static void fail(Control control, Throwable t) {
        if (control == null) {
            System.err.println(t);
            Runtime.getRuntime().halt(FAILED);
        }
        control.send(Control.event("failed").set("causes", Control.causes(t)));
        control.exit(FAILED);
    }

    /** Ends the process when standard input ends, because the Go process has ended. */
    private static void watch(InputStream in) {
        Control.daemon("watch", () -> {
            try {
                while (in.read() >= 0) {
                    // No input is expected.
                }
            } catch (Exception e) {
                // The same as the end.
            }
            Runtime.getRuntime().halt(ORPHANED);
        }).start();
    }

    /**
     * Prevents that SIGTERM ends the process: a service manager may send it to all processes of a
     * service, but only the Go process decides about the end. Java's only way to do this without
     * internal classes is a shutdown hook that does not return: everything else goes on meanwhile.
     */
    private static void ignoreSignals() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                Thread.sleep(Long.MAX_VALUE);
            } catch (InterruptedException e) {
                // The process may end.
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

    /** Returns KCL's version, or "unknown" if its jar does not have it. */
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
