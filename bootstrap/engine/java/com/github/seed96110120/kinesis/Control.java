package com.github.seed96110120.kinesis;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The connection for events, which go to the Go process, and commands, which come from it. One
 * thread writes the events of all other threads, one reads commands, and one sends heartbeats and
 * checks those of the Go process.
 */
final class Control {
    static final ObjectMapper MAPPER = new ObjectMapper();
    private static final int TICKS = 6; // heartbeats within the allowed silence
    private static final int MOST_LOGS = 1000; // log events that wait to be written
    private static final int MOST_TEXT = 1000; // characters of a message

    private final Line line;
    private final LinkedBlockingQueue<ObjectNode> queue = new LinkedBlockingQueue<>();
    private final AtomicInteger logs = new AtomicInteger(); // log events in the queue
    private final AtomicInteger dropped = new AtomicInteger(); // log events dropped since the last one that was not
    private final long tickMillis;
    private volatile boolean heard;
    private volatile Engine engine; // null until it is made
    private final CountDownLatch served = new CountDownLatch(1);

    Control(Path socket, String token, String version, long silenceMillis) throws IOException {
        tickMillis = Math.max(1, silenceMillis / TICKS);
        line = new Line(socket);
        line.write(MAPPER.createObjectNode()
                .put("token", token)
                .put("connection", "control")
                .put("kcl", version)
                .put("java", System.getProperty("java.version")));
        thread("events", this::write).start();
        beat();
    }

    static ObjectNode event(String name) {
        return MAPPER.createObjectNode().put("event", name);
    }

    /** Returns a throwable and its causes, beginning with the outermost. */
    static ArrayNode causes(Throwable t) {
        ArrayNode all = MAPPER.createArrayNode();
        Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        for (; t != null && seen.add(t); t = t.getCause()) {
            all.addObject().put("class", t.getClass().getName()).put("message", cut(t.getMessage()));
        }
        return all;
    }

    static String cut(String text) {
        return text == null ? "" : text.length() <= MOST_TEXT ? text : text.substring(0, MOST_TEXT);
    }

    /** Sends an event. It does not block. */
    void send(ObjectNode event) {
        queue.add(event);
    }

    /** Sends a log event, or drops it if the Go process does not keep up. */
    void sendLog(ObjectNode event) {
        if (logs.get() >= MOST_LOGS) {
            dropLog();
            return;
        }
        int lost = dropped.getAndSet(0);
        if (lost > 0) {
            event.put("dropped", lost);
        }
        logs.incrementAndGet();
        queue.add(event);
    }

    /** Counts a log event that is dropped. */
    void dropLog() {
        dropped.incrementAndGet();
    }

    private void write() throws IOException, InterruptedException {
        for (;;) {
            ObjectNode event = queue.take();
            if (event.has("exit")) {
                Runtime.getRuntime().halt(event.get("exit").intValue());
            }
            line.write(event);
            if (event.get("event").asText().equals("log")) {
                logs.decrementAndGet();
            }
        }
    }

    /** Ends the process after all earlier events were written, or after one second. */
    void exit(int status) {
        queue.add(MAPPER.createObjectNode().put("exit", status));
        sleep(1000);
        Runtime.getRuntime().halt(status);
    }

    /** Waits, or returns early when it is interrupted. */
    static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Sends heartbeats, and gives up when the Go process sends none. */
    private void beat() {
        ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(work -> daemon("heartbeats", work));
        // It counts ticks rather than time, so that a pause of this process does not look like a
        // silent Go process.
        AtomicInteger silent = new AtomicInteger();
        timer.scheduleWithFixedDelay(() -> {
            send(event("heartbeat"));
            if (heard) {
                heard = false;
                silent.set(0);
            } else if (silent.incrementAndGet() == TICKS) {
                Engine engine = this.engine;
                if (engine == null) {
                    Runtime.getRuntime().halt(Entry.SILENCE);
                }
                engine.giveUp();
            }
        }, tickMillis, tickMillis, TimeUnit.MILLISECONDS);
        thread("commands", this::read).start();
    }

    /** Passes the commands to an engine, including those that arrived before. */
    void serve(Engine engine) {
        this.engine = engine;
        served.countDown();
    }

    private void read() throws IOException, InterruptedException {
        for (;;) {
            JsonNode command = MAPPER.readTree(line.read());
            heard = true;
            String name = command.get("command").asText();
            if (name.equals("heartbeat")) {
                continue;
            }
            if (name.equals("stop") && engine == null) {
                send(event("stopped").put("released", 0).put("complete", true)); // there is nothing to stop
                exit(Entry.STOPPED);
            }
            served.await();
            switch (name) {
                case "fail" -> engine.fail(command.get("lease").asLong());
                case "read" -> engine.read(command.get("leaseKey").asText());
                case "evict" -> engine.evict(command.get("leaseKey").asText());
                case "stop" -> engine.stop(command.get("graceMillis").asLong());
                default -> throw new IOException("unknown command");
            }
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    /** Returns a thread whose failure ends the process, because the connection has failed. */
    private static Thread thread(String name, Work work) {
        return daemon(name, () -> {
            try {
                work.run();
            } catch (Throwable t) {
                Runtime.getRuntime().halt(Entry.ORPHANED);
            }
        });
    }

    /** Returns a thread that does not keep the process alive. */
    static Thread daemon(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        return thread;
    }
}
