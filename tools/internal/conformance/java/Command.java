import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/** A line of the input. */
final class Command {
    public String shard;
    /** One of the daemon's actions, or "release". */
    public String action;
    /** initialize: the value of the property executableName. */
    public String executable;
    /** initialize: where the lease begins. */
    public String sequenceNumber;
    /** processRecords: the batch; null for the last one once more, further on. */
    public List<Record> records;
    /** processRecords: how often to deliver the batch, each time with the next sequence numbers. */
    public int repeat = 1;
    /** The exception that each checkpoint of this action fails with, by its simple name; "" for none. */
    public List<String> checkpointErrors = List.of();
    /** The checkpoint of this action, from 1, that waits for "release". */
    public int holdCheckpoint;

    static final class Record {
        public byte[] data;
        public String partitionKey;
        public BigInteger sequenceNumber;
        public long subSequenceNumber;
        public Long approximateArrivalTimestamp;
    }

    /** The records of one delivery: those of the first one with all their sequence numbers raised. */
    static List<KinesisClientRecord> delivery(List<Record> batch, int repetition) {
        if (batch.isEmpty()) {
            return List.of();
        }
        BigInteger first = batch.get(0).sequenceNumber;
        BigInteger last = batch.get(batch.size() - 1).sequenceNumber;
        BigInteger raise = last.subtract(first).add(BigInteger.ONE).multiply(BigInteger.valueOf(repetition));
        List<KinesisClientRecord> delivery = new ArrayList<>(batch.size());
        for (Record record : batch) {
            delivery.add(KinesisClientRecord.builder()
                    .data(ByteBuffer.wrap(record.data))
                    .partitionKey(record.partitionKey)
                    .sequenceNumber(record.sequenceNumber.add(raise).toString())
                    .subSequenceNumber(record.subSequenceNumber)
                    .approximateArrivalTimestamp(
                            record.approximateArrivalTimestamp == null
                                    ? null
                                    : Instant.ofEpochMilli(record.approximateArrivalTimestamp))
                    .build());
        }
        return delivery;
    }
}
