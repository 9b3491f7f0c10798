package com.github.seed96110120.kinesis;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.multilang.messages.CheckpointMessage;
import software.amazon.kinesis.multilang.messages.InitializeMessage;
import software.amazon.kinesis.multilang.messages.LeaseLostMessage;
import software.amazon.kinesis.multilang.messages.Message;
import software.amazon.kinesis.multilang.messages.ProcessRecordsMessage;
import software.amazon.kinesis.multilang.messages.ShardEndedMessage;
import software.amazon.kinesis.multilang.messages.ShutdownRequestedMessage;
import software.amazon.kinesis.multilang.messages.StatusMessage;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;

/**
 * A record processor that lets the Go process do the work: it sends each call as a message of the
 * MultiLang protocol, and makes the checkpoints that the Go process requests until it answers.
 *
 * <p>No method throws. After an exception KCL would skip the batch, log its records, or call
 * initialize again without end. Instead, a conversation that has failed accepts no more records and
 * makes no more checkpoints, and Engine makes KCL end its consumer.
 */
final class Conversation implements ShardRecordProcessor {
    final long id;
    private final Engine engine;
    private final String stream; // KCL's identifier, empty with a single stream
    private volatile String leaseKey; // null before initialize
    private volatile String shard;
    private volatile Line line;
    private final AtomicBoolean over = new AtomicBoolean(); // no more messages, after a planned end or a failure
    private RecordProcessorCheckpointer checkpointer; // null before the first batch

    Conversation(Engine engine, long id, String stream) {
        this.engine = engine;
        this.id = id;
        this.stream = stream;
    }

    String leaseKey() {
        return leaseKey;
    }

    @Override
    public synchronized void initialize(InitializationInput input) {
        shard = input.shardId();
        leaseKey = stream.isEmpty() ? shard : stream + ":" + shard;
        if (!engine.begin(this)) {
            over.set(true);
            return;
        }
        act(InitializeMessage.ACTION, null, new InitializeMessage(input), () -> line = engine.connect(this, stream, shard));
    }

    @Override
    public synchronized void processRecords(ProcessRecordsInput input) {
        checkpointer = input.checkpointer();
        act(ProcessRecordsMessage.ACTION, checkpointer, new ProcessRecordsMessage(input), null);
    }

    @Override
    public synchronized void shutdownRequested(ShutdownRequestedInput input) {
        checkpointer = input.checkpointer();
        act(ShutdownRequestedMessage.ACTION, checkpointer, new ShutdownRequestedMessage(), null);
    }

    @Override
    public synchronized void leaseLost(LeaseLostInput input) {
        act(LeaseLostMessage.ACTION, null, new LeaseLostMessage(), null);
        end();
    }

    /**
     * A processor that has failed makes no checkpoint at the end, which KCL notices. If the shard has
     * not really ended, the conversation is broken off, and the shard is read again from its
     * checkpoint.
     */
    @Override
    public synchronized void shardEnded(ShardEndedInput input) {
        if (!over.get()) {
            try {
                engine.confirmEnd(leaseKey, stream, shard);
            } catch (Exception e) {
                engine.broken(this, e);
                return;
            }
        }
        act(ShardEndedMessage.ACTION, input.checkpointer(), new ShardEndedMessage(), null);
        end();
    }

    /** Ends the conversation as KCL does at a hand-over, after the open action is answered. */
    synchronized void stop() {
        act(ShutdownRequestedMessage.ACTION, checkpointer, new ShutdownRequestedMessage(), null);
        act(LeaseLostMessage.ACTION, null, new LeaseLostMessage(), null);
        end();
    }

    private void end() {
        over.set(true);
        close();
        engine.ended(this);
    }

    /** Marks the conversation as over, and returns false if it was over already. */
    boolean finish() {
        return over.compareAndSet(false, true);
    }

    /** Closes the connection, which ends the open action. */
    void close() {
        Line open = line;
        if (open != null) {
            open.close();
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    /** Sends a message, and makes checkpoints until the Go process has answered. */
    private void act(String action, RecordProcessorCheckpointer checkpointer, Message message, Step first) {
        if (over.get() || first == null && line == null) {
            return;
        }
        try {
            if (first != null) {
                first.run();
            }
            line.write(message);
            while (!answered(action, checkpointer)) {
                // It was a request for a checkpoint.
            }
        } catch (Throwable t) {
            engine.broken(this, t);
        }
    }

    private boolean answered(String action, RecordProcessorCheckpointer checkpointer) throws IOException {
        Message answer = Control.MAPPER.readValue(line.read(), Message.class);
        if (answer instanceof CheckpointMessage request) {
            line.write(new CheckpointMessage(
                    request.getSequenceNumber(),
                    request.getSubSequenceNumber(),
                    checkpoint(request.getSequenceNumber(), request.getSubSequenceNumber(), checkpointer)));
            return false;
        }
        if (answer instanceof StatusMessage status && action.equals(status.getResponseFor())) {
            return true;
        }
        throw new IOException("unexpected answer: " + answer.getClass().getSimpleName());
    }

    /** Makes a checkpoint, and returns null or the reason why it failed. */
    private Throwable checkpoint(String number, Long subNumber, RecordProcessorCheckpointer checkpointer) {
        if (over.get() || engine.isLost()) {
            return new ShutdownException("the conversation is over");
        }
        if (checkpointer == null) {
            return new InvalidStateException("no checkpoint is possible in this action");
        }
        try {
            if (number == null) {
                checkpointer.checkpoint();
            } else if (subNumber == null) {
                checkpointer.checkpoint(number);
            } else {
                checkpointer.checkpoint(number, subNumber);
            }
            return null;
        } catch (Throwable t) {
            return t;
        }
    }
}
