package com.github.seed96110120.kinesis;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import software.amazon.kinesis.retrieval.AggregatorUtil;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/**
 * Separates the user records that the Kinesis Producer Library has aggregated. A record that KCL
 * cannot separate is delivered as it is. KCL itself would drop the rest of it and log its data, or,
 * with a Java that lacks javax.xml.bind, throw an Error that ends all shards.
 */
final class Deaggregator extends AggregatorUtil {
    @Override
    public List<KinesisClientRecord> deaggregate(List<KinesisClientRecord> records, BigInteger from, BigInteger to) {
        try {
            return super.deaggregate(records, from, to);
        } catch (RuntimeException | LinkageError e) {
            List<KinesisClientRecord> all = new ArrayList<>();
            for (KinesisClientRecord record : records) {
                record.data().rewind();
                try {
                    all.addAll(super.deaggregate(List.of(record), from, to));
                } catch (RuntimeException | LinkageError bad) {
                    record.data().rewind();
                    all.add(record);
                }
            }
            return all;
        }
    }
}
