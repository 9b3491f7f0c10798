# What a user of Amazon's own client for Python writes. It notes what it gets in the
# files in which the worker of these tests does.
import os
import signal

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor

# Amazon's main class passes a SIGTERM on to its children, before they are to stop.
signal.signal(signal.SIGTERM, signal.SIG_IGN)


def note(file, text):
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, (text + "\n").encode())
    os.close(fd)


class Noter(processor.RecordProcessorBase):
    def initialize(self, initialize_input):
        self.shard = initialize_input.shard_id
        note("events.txt", f"initialize {self.shard} {os.environ.get('KCL_LEASE_KEY')}")

    def process_records(self, process_records_input):
        if os.path.exists("fail." + self.shard) and process_records_input.records:
            os.remove("fail." + self.shard)
            os._exit(3)
        for record in process_records_input.records:
            note("records.txt", f"{self.shard} {record.sequence_number}")
        process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input):
        note("events.txt", "leaseLost " + self.shard)

    def shard_ended(self, shard_ended_input):
        note("events.txt", "shardEnded " + self.shard)
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input):
        note("events.txt", "shutdownRequested " + self.shard)
        shutdown_requested_input.checkpointer.checkpoint()


print("printed where the messages go")
kcl.KCLProcess(Noter()).run()
