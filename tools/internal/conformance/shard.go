package conformance

import "fmt"

// A Shard is a record processor and its executable. Its actions must not be called
// concurrently; those of several shards may be. They return an [*ExitError] if the JVM ends
// during the action or has ended before.
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

// A Batch describes one or more processRecords and the results of their checkpoints. Other
// actions use only the fields for checkpoints.
type Batch struct {
	Records []Record
	// Again delivers the records of the last batch, with higher sequence numbers,
	// instead of Records.
	Again bool
	// Repeat is how often the batch is delivered, each time with higher sequence
	// numbers. 0 means once.
	Repeat int
	// CheckpointErrors are the exceptions with which the first checkpoints fail, in
	// order: simple names of KCL or java.lang, "" for none.
	CheckpointErrors []string
	// HoldCheckpoint is the number, from 1, of the checkpoint that is not answered
	// before Release. Held tells when it was requested. 0 holds none.
	HoldCheckpoint int
}

// An Answer is the result of an action that the executable has answered.
type Answer struct {
	// Nanos are the nanoseconds that each repetition took.
	Nanos []int64 `json:"nanos"`
	// Checkpoints are those that the executable requested, in order.
	Checkpoints []Checkpoint `json:"checkpoints"`
	// Checkpoint is the checkpoint of the shard's lease.
	Checkpoint Position `json:"checkpoint"`
	// Errors are those that the daemon logged during the action. A failure of
	// shutdownRequested is only visible here.
	Errors []string `json:"errors"`
	// PID is the executable's process ID.
	PID int `json:"pid"`
	// ChildStatus is the exit status of the executable, or 128 plus the number of the
	// signal that ended it. It is nil before its end.
	ChildStatus *int `json:"childStatus"`
}

// A Position is a position in a shard.
type Position struct {
	SequenceNumber    string `json:"sequenceNumber"`
	SubSequenceNumber int64  `json:"subSequenceNumber"`
}

// A Checkpoint is a call of KCL's checkpointer.
type Checkpoint struct {
	// SequenceNumber and SubSequenceNumber are the arguments, nil without them.
	SequenceNumber    *string `json:"sequenceNumber"`
	SubSequenceNumber *int64  `json:"subSequenceNumber"`
	// Error is the simple name of the exception that the call threw, or "".
	Error string `json:"error"`
}

// Initialize starts the executable, a value of the property executableName: a command and
// its arguments, separated by spaces. position is the lease's first checkpoint: a sequence
// number, TRIM_HORIZON or LATEST.
func (s *Shard) Initialize(executable, position string) (Answer, error) {
	return s.do(command{Action: "initialize", Executable: executable, SequenceNumber: position}, Batch{})
}

// ProcessRecords delivers a batch.
func (s *Shard) ProcessRecords(b Batch) (Answer, error) {
	return s.do(command{Action: "processRecords"}, b)
}

// ShutdownRequested announces the end of the daemon. It returns no error if the executable
// fails; Answer.Errors has it.
func (s *Shard) ShutdownRequested(b Batch) (Answer, error) {
	return s.do(command{Action: "shutdownRequested"}, b)
}

// ShardEnded announces the end of the shard and waits for the executable's end.
func (s *Shard) ShardEnded(b Batch) (Answer, error) { return s.do(command{Action: "shardEnded"}, b) }

// LeaseLost announces the loss of the lease and waits for the executable's end.
func (s *Shard) LeaseLost() (Answer, error) { return s.do(command{Action: "leaseLost"}, Batch{}) }

// Held returns a channel that gets a value when the held checkpoint of the current action is
// requested.
func (s *Shard) Held() <-chan struct{} { return s.held }

// Release completes the held checkpoint.
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
	case a := <-s.answers: // the answer came just before the end
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
