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
 * A record processor whose work is done by the Go process: it passes each call on as a message of
 * the MultiLang protocol, and makes the checkpoints that are asked for until the answer comes.
 *
 * <p>No method throws. KCL goes on past a batch that threw, logs its records, and calls initialize
 * again without end; one that has failed takes no more records and makes no more checkpoints
 * instead, and Engine has KCL end its consumer.
 */
final class Conversation implements ShardRecordProcessor {
    final long id;
    private final Engine engine;
    private final String stream; // KCL's identifier, empty when there is but one
    private volatile String leaseKey; // null before initialize
    private volatile String shard;
    private volatile Line line;
    private final AtomicBoolean over = new AtomicBoolean(); // no more messages, by plan or not
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
     * A processor that has failed makes no checkpoint at the end; KCL sees that itself. A shard that
     * has not ended is as if the conversation had broken off: it is read again from its checkpoint.
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

    /** Ends the conversation as KCL does at a hand-off, once the open action is answered. */
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

    /** Takes the conversation for over, and tells whether it was not. */
    boolean finish() {
        return over.compareAndSet(false, true);
    }

    /** Ends the action that is open. */
    void close() {
        Line open = line;
        if (open != null) {
            open.close();
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    /** Sends a message and serves the Go process until it has answered. */
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
                // It was a checkpoint.
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
        throw new IOException("an answer that was not expected: " + answer.getClass().getSimpleName());
    }

    /** Returns why there is no checkpoint, null if there is one. */
    private Throwable checkpoint(String number, Long subNumber, RecordProcessorCheckpointer checkpointer) {
        if (over.get() || engine.isLost()) {
            return new ShutdownException("the conversation is over");
        }
        if (checkpointer == null) {
            return new InvalidStateException("no checkpoint can be made in this action");
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
