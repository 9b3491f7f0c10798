"""What the protocol bench measures of amazon_kclpy: it does what the command
ours does, in the way of that package's samples."""

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class Counter(processor.RecordProcessorBase):
    def __init__(self):
        self.records = 0
        self.bytes = 0

    def initialize(self, initialize_input):
        pass

    def process_records(self, process_records_input):
        for record in process_records_input.records:
            self.records += 1
            self.bytes += len(record.binary_data)
        process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input):
        pass

    def shard_ended(self, shard_ended_input):
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input):
        shutdown_requested_input.checkpointer.checkpoint()


if __name__ == "__main__":
    kcl.KCLProcess(Counter()).run()
