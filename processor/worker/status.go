package worker

import (
	"encoding/json"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Status is a snapshot of a worker. It contains no record's data, except what your code
// puts into its errors. Its texts are valid UTF-8. Package monitor serves it as JSON at
// /status.json.
type Status struct {
	// Application is the application's name.
	Application string `json:"application"`
	// Streams are the names or ARNs of the streams, as configured. It is empty until
	// Run has read the configuration.
	Streams []string `json:"streams"`
	// Region is the region of the streams; empty if it is not configured.
	Region string `json:"region,omitempty"`
	// WorkerID is the worker's ID.
	WorkerID string `json:"workerId,omitempty"`
	// Now is the time of the snapshot.
	Now time.Time `json:"now"`
	// Started is when Run began; zero before that.
	Started time.Time `json:"started,omitzero"`
	// Daemon is the Java process.
	Daemon DaemonStatus `json:"daemon"`
	// MaxMillisBehindLatest is the greatest lag of the worker's shards, in
	// milliseconds. The lag of an idle shard is that of its last batch. The lag of any
	// other shard, or of one with a Problem, is that of its last batch plus the time
	// since then, and so is the lag of a shard that has been idle without a batch for a
	// minute, unless NoEmptyBatches is set. Before the first batch it is the time for
	// which the worker has had the shard. While Java is started again, its shards count
	// for up to 150 s, until other workers have them. Without shards it is 0, or
	// processor.UnknownLag (-1) while KCL does not take leases.
	MaxMillisBehindLatest int64 `json:"maxMillisBehindLatest"`
	// SumMillisBehindLatest is the sum of these lags, in milliseconds.
	SumMillisBehindLatest int64 `json:"sumMillisBehindLatest"`
	// BusySeconds is the time since Started that shards spent processing a batch, from its
	// delivery until all of it was finished, summed over the shards.
	BusySeconds float64 `json:"busySeconds"`
	// Shards are the shards that the worker has, by stream and ID, followed by those
	// that it had in the last 10 minutes.
	Shards []ShardStatus `json:"shards"`
	// Errors are the last 20 errors, newest first.
	Errors []Failure `json:"errors"`
}

// DaemonStatus describes the Java process that runs KCL.
type DaemonStatus struct {
	// State is what the process does.
	State DaemonState `json:"state"`
	// Since is when it entered the State.
	Since time.Time `json:"since,omitzero"`
	// PID is the process ID; 0 while Java does not run.
	PID int `json:"pid,omitempty"`
	// Restarts is how often Java has been started again in this Run.
	Restarts int `json:"restarts"`
}

// DaemonState is a state of the Java process.
type DaemonState string

// The states of the Java process, in their usual order.
const (
	DaemonNew          DaemonState = "new"          // Run has not been called
	DaemonPreparing    DaemonState = "preparing"    // the jars are being fetched and verified
	DaemonStarting     DaemonState = "starting"     // Java is starting
	DaemonInitializing DaemonState = "initializing" // KCL is looking for tables, streams and leases
	DaemonReady        DaemonState = "ready"        // KCL takes leases
	DaemonStopping     DaemonState = "stopping"     // it has been asked to stop
	DaemonRestarting   DaemonState = "restarting"   // it has ended and will be started again
	DaemonStopped      DaemonState = "stopped"      // it has ended, and Run ends
)

// ShardStatus describes a shard that the worker has or had.
type ShardStatus struct {
	// Stream is the stream's name or, in a worker of several streams, KCL's stream
	// identifier, ACCOUNT:NAME:EPOCH.
	Stream string `json:"stream"`
	// ShardID is the shard's ID. Each stream may have a shard with this ID.
	ShardID string `json:"shardId"`
	// State is what happens with the shard.
	State ShardState `json:"state"`
	// Since is when it entered the State.
	Since time.Time `json:"since"`
	// Left is when the worker stopped having the shard; zero while it has it.
	Left time.Time `json:"left,omitzero"`
	// MillisBehindLatest is the lag of the last batch, in milliseconds;
	// processor.UnknownLag (-1) if it is not known.
	MillisBehindLatest int64 `json:"millisBehindLatest"`
	// BatchTime is when that batch was delivered; zero before the first batch of this
	// lease.
	BatchTime time.Time `json:"batchTime,omitzero"`
	// Records is how many records have been delivered. This and the counters below start
	// at 0 when Run begins, and again when the shard comes back after more than 10
	// minutes.
	Records int64 `json:"records"`
	// Bytes is how many bytes of data these records had.
	Bytes int64 `json:"bytes"`
	// RecordsPerSecond is the rate of about the last 10 seconds; 0 after the worker has
	// left the shard.
	RecordsPerSecond float64 `json:"recordsPerSecond"`
	// InFlight is how many records have been delivered and are not finished. For a
	// processor that is not handle.Observable, these are the records of the batch that
	// it processes.
	InFlight int `json:"inFlight"`
	// Retries counts the failed attempts after which a record was to be tried again. It
	// is 0 for processors that are not handle.Observable.
	Retries int64 `json:"retries"`
	// DeadLetters counts records that the dead-letter sink took. It is 0 for processors
	// that are not handle.Observable.
	DeadLetters int64 `json:"deadLetters"`
	// Checkpoint is the last checkpoint of this Run. It is zero before the first one
	// and at the end of the shard.
	Checkpoint processor.Position `json:"-"`
	// CheckpointTime is when it was made; zero before the first one.
	CheckpointTime time.Time `json:"checkpointTime,omitzero"`
	// Failures counts the processors that failed.
	Failures int `json:"failures"`
	// FailsRepeatedly is whether 3 or more processors failed within the last hour.
	FailsRepeatedly bool `json:"failsRepeatedly"`
	// NextTry is when a restarting shard is read again; zero in other states.
	NextTry time.Time `json:"nextTry,omitzero"`
	// LeasesTaken counts how often the worker got the shard's lease.
	LeasesTaken int64 `json:"leasesTaken"`
	// LeasesLost counts how often another worker got the lease, or it expired.
	LeasesLost int64 `json:"leasesLost"`
	// Problem is what keeps KCL from reading the shard, or nil.
	Problem *Problem `json:"problem,omitempty"`
	// Errors counts the reports of such problems by KCL's operation, such as
	// GetRecords. KCL reports once in 5 s at most.
	Errors map[string]int64 `json:"errors,omitempty"`
	// History has a sample for each 2 s of the last 2 minutes, oldest first.
	History []Sample `json:"history"`
}

// Problem describes what keeps KCL from reading a shard.
type Problem struct {
	// Text is what failed.
	Text string `json:"text"`
	// Advice is what to do about it.
	Advice string `json:"advice"`
	// Since is when the problems of the shard began.
	Since time.Time `json:"since"`
	// Times is how often KCL has reported this problem in succession.
	Times int `json:"times"`
}

// position is a processor.Position in JSON.
type position struct {
	SequenceNumber    string `json:"sequenceNumber"`
	SubSequenceNumber int64  `json:"subSequenceNumber"`
}

// shardFields is ShardStatus without its methods.
type shardFields ShardStatus

type shardJSON struct {
	shardFields
	Checkpoint position `json:"checkpoint,omitzero"`
}

// MarshalJSON writes the fields. It writes Checkpoint, unless that is zero, as
// "checkpoint" with "sequenceNumber" and "subSequenceNumber".
func (s ShardStatus) MarshalJSON() ([]byte, error) {
	return json.Marshal(shardJSON{shardFields(s), position(s.Checkpoint)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *ShardStatus) UnmarshalJSON(data []byte) error {
	var in shardJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*s = ShardStatus(in.shardFields)
	s.Checkpoint = processor.Position(in.Checkpoint)
	return nil
}

// ShardState is a state of a shard.
type ShardState string

// The states of a shard. After a failure it is failed, then restarting when its processor
// has returned, or hung if that takes longer than ReturnGrace.
const (
	ShardStarting   ShardState = "starting"   // its lease was taken, its processor is not initialized yet
	ShardBlocked    ShardState = "blocked"    // its parents have not been read to their ends
	ShardWaiting    ShardState = "waiting"    // its next processor waits until the previous one has returned
	ShardIdle       ShardState = "idle"       // no batch is being processed
	ShardProcessing ShardState = "processing" // a batch is being processed
	ShardStopping   ShardState = "stopping"   // shutdownRequested was received
	ShardFailed     ShardState = "failed"     // its processor failed, and may not have returned yet
	ShardRestarting ShardState = "restarting" // it gets a new processor at NextTry
	ShardHung       ShardState = "hung"       // its processor has not returned; until then the shard is not read
	ShardLost       ShardState = "lost"       // another worker has it, or may have it
	ShardEnded      ShardState = "ended"      // it was read to its end
)

// Sample is a point of a shard's history: an interval of 2 seconds.
type Sample struct {
	// Time is the end of the interval.
	Time time.Time `json:"time"`
	// MillisBehindLatest is the lag at that time, in milliseconds;
	// processor.UnknownLag (-1) if it is not known.
	MillisBehindLatest int64 `json:"millisBehindLatest"`
	// RecordsPerSecond is the rate of the interval.
	RecordsPerSecond float64 `json:"recordsPerSecond"`
}

// Failure is an error that has occurred.
type Failure struct {
	// Time is when it last occurred.
	Time time.Time `json:"time"`
	// Stream and ShardID are as in ShardStatus. They are empty for an error of the
	// daemon.
	Stream  string `json:"stream,omitempty"`
	ShardID string `json:"shardId,omitempty"`
	// Text is the error's text, cut off after 1,000 bytes.
	Text string `json:"text"`
	// Times is how often the shard had the same error in succession, 1 or more.
	Times int `json:"times"`
}
