package com.github.seed96110120.kinesis;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import software.amazon.kinesis.retrieval.AggregatorUtil;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/**
 * Takes records apart that the Kinesis Producer Library has put together. One that KCL cannot take
 * apart is passed on as it is: KCL leaves out what follows in it and logs its data, or, where
 * Java has no javax.xml.bind any more, throws an Error that ends all shards.
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
