package com.github.seed96110120.kinesis;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxy;
import ch.qos.logback.core.AppenderBase;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.LoggerFactory;

/** Sends KCL's log records to the Go process, as events. */
final class Log extends AppenderBase<ILoggingEvent> {
    private static final ThreadLocal<String> SHARD = new ThreadLocal<>();

    // The same problem is often logged by several loggers, in each round, and for each shard.
    private static final long WINDOW_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final int MOST_IN_WINDOW = 3; // records of one logger, level and exception

    private final Control control;
    private final boolean limited;
    private final Map<String, Integer> window = new HashMap<>();
    private long begun = System.nanoTime();

    private Log(Control control, boolean limited) {
        this.control = control;
        this.limited = limited;
    }

    /** Sets the shard for which this thread works. */
    static void within(String leaseKey) {
        SHARD.set(leaseKey);
    }

    /**
     * Replaces KCL's log configuration. Below INFO only KCL is logged, because the HTTP client would
     * log credentials. One logger is restricted because it logs the values of all properties, which
     * may be secrets.
     */
    static void install(Control control, String level) {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        Level least = Level.toLevel(level);
        Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.setLevel(least.isGreaterOrEqual(Level.INFO) ? least : Level.INFO);
        context.getLogger("software.amazon.kinesis").setLevel(least);
        if (!least.isGreaterOrEqual(Level.WARN)) {
            context.getLogger("software.amazon.kinesis.multilang.config.KinesisClientLibConfigurator")
                    .setLevel(Level.WARN);
        }
        // It would log the data of a record that it cannot de-aggregate.
        context.getLogger("software.amazon.kinesis.retrieval.AggregatorUtil").setLevel(Level.OFF);
        Log log = new Log(control, least.isGreaterOrEqual(Level.WARN));
        log.setContext(context);
        log.start();
        root.addAppender(log);
    }

    /** Counts a record, and returns false if it exceeds the limit. AppenderBase serializes the calls of append. */
    private boolean within(ILoggingEvent record) {
        long now = System.nanoTime();
        if (now - begun > WINDOW_NANOS) {
            begun = now;
            window.clear();
        }
        IThrowableProxy thrown = record.getThrowableProxy();
        String what = record.getLoggerName() + record.getLevel() + (thrown == null ? "" : thrown.getClassName());
        return window.merge(what, 1, Integer::sum) <= MOST_IN_WINDOW;
    }

    @Override
    protected void append(ILoggingEvent record) {
        // ProcessTask logs the records of a batch after an exception, here only after an Error.
        if (record.getMessage() != null && record.getMessage().contains("Skipping over")) {
            return;
        }
        Throwable thrown = record.getThrowableProxy() instanceof ThrowableProxy proxy ? proxy.getThrowable() : null;
        if (Retrieval.interrupted(thrown)) {
            return;
        }
        if (limited && !within(record)) {
            control.dropLog();
            return;
        }
        ObjectNode event = Control.event("log")
                .put("level", record.getLevel().toString())
                .put("logger", record.getLoggerName())
                .put("message", Control.cut(record.getFormattedMessage()));
        if (SHARD.get() != null) {
            event.put("leaseKey", SHARD.get());
        }
        if (thrown != null) {
            event.set("causes", Control.causes(thrown));
        }
        control.sendLog(event);
    }
}
