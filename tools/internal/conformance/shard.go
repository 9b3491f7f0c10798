package conformance

import "fmt"

// A Shard is one record processor and its executable. Its methods that are
// actions may be called by one goroutine at a time, as KCL does; those of
// several shards may be called at once. They return an [*ExitError] when the
// JVM ends in the action or has ended before.
type Shard struct {
	driver  *Driver
	id      string
	answers chan Answer
	held    chan struct{}
}

// A Record is one of a batch.
type Record struct {
	Data         []byte  `json:"data"`
	PartitionKey *string `json:"partitionKey"`
	// SequenceNumber is a decimal number.
	SequenceNumber    string `json:"sequenceNumber"`
	SubSequenceNumber int64  `json:"subSequenceNumber"`
	// ApproximateArrivalTimestamp is in milliseconds since 1970; nil is null.
	ApproximateArrivalTimestamp *int64 `json:"approximateArrivalTimestamp"`
}

// A Batch is what one or more processRecords deliver, and what happens to the
// checkpoints that are asked for in it. Other actions use only the fields that
// are about checkpoints.
type Batch struct {
	Records []Record
	// Again delivers the records of the last batch, with higher sequence
	// numbers, in place of Records.
	Again bool
	// Repeat is how often the batch is delivered, one after the other, each
	// with higher sequence numbers than the last; 0 means once.
	Repeat int
	// CheckpointErrors names the exceptions that the first checkpoints fail
	// with, in order; "" for none. They are KCL's or java.lang's.
	CheckpointErrors []string
	// HoldCheckpoint is the checkpoint, from 1, that is not answered before
	// Release; Held tells when it was asked for. 0 holds none.
	HoldCheckpoint int
}

// An Answer is what came of an action that the executable has answered.
type Answer struct {
	// Nanos is how long each of the repetitions took.
	Nanos []int64 `json:"nanos"`
	// Checkpoints are those that the executable asked for, in order.
	Checkpoints []Checkpoint `json:"checkpoints"`
	// Checkpoint is where the shard's lease stands now.
	Checkpoint Position `json:"checkpoint"`
	// Errors are the errors that the daemon logged of the action. For
	// shutdownRequested they are all that is seen of a failure.
	Errors []string `json:"errors"`
	// PID is the executable's process ID.
	PID int `json:"pid"`
	// ChildStatus is the executable's exit status when it has ended, 128 and
	// the signal's number when one ended it; else nil.
	ChildStatus *int `json:"childStatus"`
}

// A Position is one in a shard.
type Position struct {
	SequenceNumber    string `json:"sequenceNumber"`
	SubSequenceNumber int64  `json:"subSequenceNumber"`
}

// A Checkpoint is a call of KCL's checkpointer.
type Checkpoint struct {
	// SequenceNumber and SubSequenceNumber are the arguments; nil where the
	// call had none.
	SequenceNumber    *string `json:"sequenceNumber"`
	SubSequenceNumber *int64  `json:"subSequenceNumber"`
	// Error is the simple name of the exception that it ended with, or "".
	Error string `json:"error"`
}

// Initialize starts the executable, which is the value of the daemon's property
// executableName: a command and its arguments, split at spaces. The lease
// begins at position: a sequence number, TRIM_HORIZON or LATEST.
func (s *Shard) Initialize(executable, position string) (Answer, error) {
	return s.do(command{Action: "initialize", Executable: executable, SequenceNumber: position}, Batch{})
}

// ProcessRecords delivers a batch.
func (s *Shard) ProcessRecords(b Batch) (Answer, error) {
	return s.do(command{Action: "processRecords"}, b)
}

// ShutdownRequested announces the end of the daemon. It returns no error when
// the executable fails: Answer.Errors tells.
func (s *Shard) ShutdownRequested(b Batch) (Answer, error) {
	return s.do(command{Action: "shutdownRequested"}, b)
}

// ShardEnded says that all records were delivered, and waits for the
// executable's end.
func (s *Shard) ShardEnded(b Batch) (Answer, error) { return s.do(command{Action: "shardEnded"}, b) }

// LeaseLost says that another worker has the lease, and waits for the
// executable's end.
func (s *Shard) LeaseLost() (Answer, error) { return s.do(command{Action: "leaseLost"}, Batch{}) }

// Held receives a value when the checkpoint is asked for that the action in
// progress holds.
func (s *Shard) Held() <-chan struct{} { return s.held }

// Release lets the held checkpoint be done.
func (s *Shard) Release() error { return s.driver.send(command{Shard: s.id, Action: "release"}) }

// A command is what the Java program reads.
type command struct {
	Shard            string   `json:"shard"`
	Action           string   `json:"action"`
	Executable       string   `json:"executable"`
	SequenceNumber   string   `json:"sequenceNumber"`
	Records          []Record `json:"records"`
	Repeat           int      `json:"repeat"`
	CheckpointErrors []string `json:"checkpointErrors"`
	HoldCheckpoint   int      `json:"holdCheckpoint"`
}

func (s *Shard) do(c command, b Batch) (Answer, error) {
	c.Shard, c.Records, c.Repeat, c.HoldCheckpoint = s.id, b.Records, max(b.Repeat, 1), b.HoldCheckpoint
	if c.Records == nil && !b.Again {
		c.Records = []Record{}
	}
	c.CheckpointErrors = []string{}
	for _, name := range b.CheckpointErrors {
		switch name {
		case "":
		case "IllegalArgumentException", "RuntimeException":
			name = "java.lang." + name
		default:
			name = "software.amazon.kinesis.exceptions." + name
		}
		c.CheckpointErrors = append(c.CheckpointErrors, name)
	}
	sent := s.driver.send(c)
	select {
	case a := <-s.answers:
		return a, nil
	case <-s.driver.ended:
	}
	select {
	case a := <-s.answers: // it came just before the end
		return a, nil
	default:
	}
	exit := &ExitError{
		Status: s.driver.process.ExitCode(), Shard: s.id, Action: c.Action, Last: s.driver.exits[s.id], Log: s.driver.Log(),
	}
	if sent != nil { // it had ended before
		return Answer{}, fmt.Errorf("%w (%w)", exit, sent)
	}
	return exit.Last, exit
}
