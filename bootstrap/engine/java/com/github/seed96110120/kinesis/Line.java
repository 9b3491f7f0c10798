package com.github.seed96110120.kinesis;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/**
 * A connection to the Go process with one JSON value per line. One thread may write while another
 * reads. It uses the channel directly: with Java 17, the streams of java.nio.channels.Channels have
 * one lock for both directions, so that a write would wait for a read.
 */
final class Line implements Closeable {
    private static final int MOST = 1 << 20; // bytes of the longest line that is read
    private static final ObjectWriter WRITER =
            Control.MAPPER.writer().without(JsonGenerator.Feature.AUTO_CLOSE_TARGET);

    private final SocketChannel channel;
    private final ByteBuffer in = ByteBuffer.allocateDirect(8 << 10).limit(0);

    Line(Path socket) throws IOException {
        channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
    }

    /** Writes a value piece by piece, so that there is no complete copy of a batch in memory. */
    void write(Object value) throws IOException {
        try (Out out = new Out()) {
            WRITER.writeValue(out, value);
            out.write('\n');
        }
    }

    /** Returns the next line that is not empty, without its end. */
    byte[] read() throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (;;) {
            while (in.hasRemaining()) {
                byte b = in.get();
                if (b == '\n') {
                    if (text.size() > 0) {
                        return text.toByteArray();
                    }
                    continue;
                }
                if (text.size() == MOST) {
                    throw new IOException("a line of more than " + MOST + " bytes");
                }
                text.write(b);
            }
            in.clear();
            int n = channel.read(in);
            in.flip();
            if (n < 0) {
                throw new EOFException("the connection has ended");
            }
        }
    }

    /** Closes the connection. A read or a write in another thread fails. */
    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // The connection is not used any more.
        }
    }

    private final class Out extends OutputStream {
        private final ByteBuffer buffer = Buffers.take();

        @Override
        public void write(int b) throws IOException {
            if (!buffer.hasRemaining()) {
                flush();
            }
            buffer.put((byte) b);
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            while (length > 0) {
                if (!buffer.hasRemaining()) {
                    flush();
                }
                int n = Math.min(length, buffer.remaining());
                buffer.put(bytes, from, n);
                from += n;
                length -= n;
            }
        }

        @Override
        public void flush() throws IOException {
            buffer.flip();
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            buffer.clear();
        }

        @Override
        public void close() throws IOException {
            try {
                flush();
            } finally {
                Buffers.give(buffer);
            }
        }
    }

    /** Direct buffers for the connections that write at the moment. */
    private static final class Buffers {
        private static final int SIZE = 128 << 10;
        private static final int MOST = 8;
        private static final java.util.ArrayDeque<ByteBuffer> FREE = new java.util.ArrayDeque<>();

        static ByteBuffer take() {
            synchronized (FREE) {
                ByteBuffer buffer = FREE.poll();
                return buffer != null ? buffer : ByteBuffer.allocateDirect(SIZE);
            }
        }

        static void give(ByteBuffer buffer) {
            synchronized (FREE) {
                if (FREE.size() < MOST) {
                    FREE.push(buffer.clear());
                }
            }
        }
    }
}
