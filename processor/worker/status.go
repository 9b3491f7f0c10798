package worker

import (
	"encoding/json"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Status is what a worker is about at one moment; /status.json of
// [Worker.Handler] has the same in JSON. It holds no record's data.
type Status struct {
	// Application is the application's name.
	Application string `json:"application"`
	// Streams are the names or ARNs of the streams, as they were configured; none
	// before Run has read that.
	Streams  []string `json:"streams"`
	Region   string   `json:"region,omitempty"`
	WorkerID string   `json:"workerId,omitempty"`
	// Now is the moment, Started when Run began; zero before.
	Now     time.Time `json:"now"`
	Started time.Time `json:"started,omitzero"`
	Daemon  Daemon    `json:"daemon"`
	// MaxMillisBehindLatest is the greatest lag of the shards that are this worker's, in
	// milliseconds, and SumMillisBehindLatest the sum of their lags. Of a shard that
	// is not read (blocked, starting, failed, hung, with a Problem or a batch in work)
	// it is what the last batch said and the time since; without such a batch, the time
	// for which the shard is this worker's. Without a shard the greatest is 0, and
	// processor.UnknownLag (-1) while KCL does not take leases.
	MaxMillisBehindLatest int64 `json:"maxMillisBehindLatest"`
	SumMillisBehindLatest int64 `json:"sumMillisBehindLatest"`
	// BusySeconds is the time since Started in which a batch was in work, from its
	// delivery until all of it was finished; of several shards the sum.
	BusySeconds float64 `json:"busySeconds"`
	// Shards are those that this worker has, by stream and ID, and then those that
	// it had in the last 10 minutes.
	Shards []Shard `json:"shards"`
	// Errors are the last 20, newest first.
	Errors []Error `json:"errors"`
}

// several says that shards have one ID in several streams, perhaps.
func (s Status) several() bool { return len(s.Streams) > 1 }

// name names a shard: by its ID, or by the key of its lease where that has the
// stream.
func (s Status) name(stream, shardID string) string {
	if s.several() && stream != "" {
		return stream + ":" + shardID
	}
	return shardID
}

// Daemon is what Java is about.
type Daemon struct {
	// State is what it does.
	State DaemonState `json:"state"`
	// Since is when that state began.
	Since time.Time `json:"since,omitzero"`
	// PID is Java's process ID, 0 while it does not run.
	PID int `json:"pid,omitempty"`
	// Restarts counts since Run began.
	Restarts int `json:"restarts"`
}

// DaemonState is a state of the daemon.
type DaemonState string

// The states of a daemon, in their order.
const (
	DaemonNew          DaemonState = "new"          // Run has not begun
	DaemonPreparing    DaemonState = "preparing"    // jars are fetched and verified
	DaemonStarting     DaemonState = "starting"     // Java starts
	DaemonInitializing DaemonState = "initializing" // KCL looks for tables, stream and leases
	DaemonReady        DaemonState = "ready"        // it takes leases
	DaemonStopping     DaemonState = "stopping"     // it was asked to stop
	DaemonRestarting   DaemonState = "restarting"   // it has ended and will be started again
	DaemonStopped      DaemonState = "stopped"      // it has ended for good
)

// Shard is what is known of a shard that this worker has or had.
type Shard struct {
	// Stream and ShardID name it. Stream is the stream's name, or in a worker of
	// several streams ACCOUNT:NAME:EPOCH, KCL's stream identifier.
	Stream  string `json:"stream"`
	ShardID string `json:"shardId"`
	// State is what happens with it.
	State ShardState `json:"state"`
	// Since is when that state began.
	Since time.Time `json:"since"`
	// Left is when this worker ceased to have the shard; zero while it has it.
	Left time.Time `json:"left,omitzero"`
	// MillisBehindLatest is the lag of the last batch in milliseconds,
	// processor.UnknownLag (-1) when it is not known. BatchTime is when that
	// batch was delivered, zero before the first one of this lease.
	MillisBehindLatest int64     `json:"millisBehindLatest"`
	BatchTime          time.Time `json:"batchTime,omitzero"`
	// Records and Bytes were delivered since Run began, or since the shard came
	// back after it was no longer listed. So are all that is counted below.
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	// RecordsPerSecond is that of the last 10 seconds or so; 0 of a shard that
	// this worker no longer has.
	RecordsPerSecond float64 `json:"recordsPerSecond"`
	// InFlight are records delivered and not finished. Of a processor that is
	// not package handle's: those of the batch in work.
	InFlight int `json:"inFlight"`
	// Retries counts records that failed and were to be tried again, each time
	// anew, DeadLetters those that the dead-letter sink took. Processors of
	// package handle alone tell them.
	Retries     int64 `json:"retries"`
	DeadLetters int64 `json:"deadLetters"`
	// Checkpoint is the last one that was made in this Run: zero before, and at
	// the end of the shard (then CheckpointTime is not).
	Checkpoint     processor.Position `json:"-"`
	CheckpointTime time.Time          `json:"checkpointTime,omitzero"`
	// Failures counts its processors that failed.
	Failures int `json:"failures"`
	// FailsRepeatedly: 3 of them or more failed within the last hour.
	FailsRepeatedly bool `json:"failsRepeatedly"`
	// NextTry is when a shard that is restarting is read again; else zero.
	NextTry time.Time `json:"nextTry,omitzero"`
	// LeasesTaken and LeasesLost count how often this worker got the shard's
	// lease, and how often another got it or it ran out.
	LeasesTaken int64 `json:"leasesTaken"`
	LeasesLost  int64 `json:"leasesLost"`
	// Problem is what keeps KCL from reading the shard; nil for nothing.
	Problem *Problem `json:"problem,omitempty"`
	// Errors counts, by KCL's operation such as GetRecords, what it told of such
	// problems: once in 5 s at most.
	Errors map[string]int64 `json:"errors,omitempty"`
	// History has a sample every 2 s, oldest first, of the last 2 minutes.
	History []Sample `json:"history"`
}

// Problem is what keeps KCL from reading a shard.
type Problem struct {
	// Text is what KCL met, Advice what to do about it.
	Text   string `json:"text"`
	Advice string `json:"advice"`
	// Since is when the shard's problems began, Times how often KCL has told of
	// this one in succession.
	Since time.Time `json:"since"`
	Times int       `json:"times"`
}

// position is a processor.Position in JSON.
type position struct {
	SequenceNumber    string `json:"sequenceNumber"`
	SubSequenceNumber int64  `json:"subSequenceNumber"`
}

// shardFields is Shard without its methods.
type shardFields Shard

type shardJSON struct {
	shardFields
	Checkpoint position `json:"checkpoint,omitzero"`
}

// MarshalJSON writes what the fields say, Checkpoint as "checkpoint" with
// "sequenceNumber" and "subSequenceNumber", if there is one.
func (s Shard) MarshalJSON() ([]byte, error) {
	return json.Marshal(shardJSON{shardFields(s), position(s.Checkpoint)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Shard) UnmarshalJSON(data []byte) error {
	var in shardJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*s = Shard(in.shardFields)
	s.Checkpoint = processor.Position(in.Checkpoint)
	return nil
}

// ShardState is a state of a shard.
type ShardState string

// The states of a shard.
const (
	ShardStarting   ShardState = "starting"   // its lease was taken, its processor is not yet initialised
	ShardBlocked    ShardState = "blocked"    // its parents have not been read to their ends
	ShardWaiting    ShardState = "waiting"    // for the processor before to return
	ShardIdle       ShardState = "idle"       // no batch is in work
	ShardProcessing ShardState = "processing" // a batch is in work
	ShardStopping   ShardState = "stopping"   // shutdownRequested was received
	ShardFailed     ShardState = "failed"     // its processor failed, and may not have returned yet
	ShardRestarting ShardState = "restarting" // it is to get another processor, at NextTry
	ShardHung       ShardState = "hung"       // its processor failed and does not return: it is not read until it has
	ShardLost       ShardState = "lost"       // another worker has it, or may have
	ShardEnded      ShardState = "ended"      // it was read to its end
)

var shardStates = []ShardState{
	ShardStarting, ShardBlocked, ShardWaiting, ShardIdle, ShardProcessing, ShardStopping,
	ShardFailed, ShardRestarting, ShardHung, ShardLost, ShardEnded,
}

// Sample is a point of a shard's history.
type Sample struct {
	// Time is the end of 2 seconds, MillisBehindLatest the lag then, and
	// RecordsPerSecond the rate in them.
	Time               time.Time `json:"time"`
	MillisBehindLatest int64     `json:"millisBehindLatest"`
	RecordsPerSecond   float64   `json:"recordsPerSecond"`
}

// Error is something that went wrong.
type Error struct {
	// Time is when it came last.
	Time time.Time `json:"time"`
	// Stream and ShardID are as in Shard, and empty for what concerns the daemon.
	Stream  string `json:"stream,omitempty"`
	ShardID string `json:"shardId,omitempty"`
	// Text is the error's, cut off behind 1,000 bytes.
	Text string `json:"text"`
	// Times is how often the same came in succession from the same shard, 1 or
	// more.
	Times int `json:"times"`
}
