package worker

import (
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Status is what a worker is about at one moment; /status.json of
// [Worker.Handler] has the same in JSON. It holds no record's data.
type Status struct {
	Application string `json:"application"`
	// Stream is the stream's name or ARN.
	Stream   string `json:"stream"`
	Region   string `json:"region,omitempty"`
	WorkerID string `json:"workerId,omitempty"`
	// Now is the moment, Started when Run began; zero before.
	Now     time.Time `json:"now"`
	Started time.Time `json:"started,omitzero"`
	Daemon  Daemon    `json:"daemon"`
	// Shards are those that this worker has, by ID, and then those that it had
	// in the last 10 minutes.
	Shards []Shard `json:"shards"`
	// Errors are the last 20, newest first.
	Errors []Error `json:"errors"`
}

// Daemon is what Java is about.
type Daemon struct {
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
	DaemonNew        DaemonState = "new"        // Run has not begun
	DaemonPreparing  DaemonState = "preparing"  // jars are fetched and verified
	DaemonStarting   DaemonState = "starting"   // Java runs, and has not initialised
	DaemonReady      DaemonState = "ready"      // it takes leases
	DaemonStopping   DaemonState = "stopping"   // it was asked to stop
	DaemonRestarting DaemonState = "restarting" // it has ended and will be started again
	DaemonStopped    DaemonState = "stopped"    // it has ended for good
)

// Shard is what is known of a shard that this worker has or had.
type Shard struct {
	ShardID string     `json:"shardId"`
	State   ShardState `json:"state"`
	// Since is when that state began.
	Since time.Time `json:"since"`
	// MillisBehindLatest is the lag of the last batch in milliseconds,
	// processor.UnknownLag (-1) when it is not known.
	MillisBehindLatest int64 `json:"millisBehindLatest"`
	// Records and Bytes were delivered since Run began.
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	// RecordsPerSecond is that of the last 10 seconds or so.
	RecordsPerSecond float64 `json:"recordsPerSecond"`
	// InFlight are records delivered and not finished. Of a processor that is
	// not package handle's: those of the batch in work.
	InFlight int `json:"inFlight"`
	// Retries and DeadLetters are told by processors of package handle alone.
	Retries     int64 `json:"retries"`
	DeadLetters int64 `json:"deadLetters"`
	// Checkpoint is the last one that was made in this Run: zero before, and at
	// the end of the shard (then CheckpointTime is not).
	Checkpoint     processor.Position `json:"checkpoint"`
	CheckpointTime time.Time          `json:"checkpointTime,omitzero"`
	// Failures counts its processors that failed since Run began. A shard that
	// fails again and again restarts the daemon again and again.
	Failures int `json:"failures"`
	// History has a sample every 2 s, oldest first, of the last 2 minutes.
	History []Sample `json:"history"`
}

// ShardState is a state of a shard.
type ShardState string

// The states of a shard.
const (
	ShardWaiting    ShardState = "waiting"    // for the processor before to return
	ShardIdle       ShardState = "idle"       // no batch is in work
	ShardProcessing ShardState = "processing" // a batch is in work
	ShardStopping   ShardState = "stopping"   // shutdownRequested was received
	ShardFailed     ShardState = "failed"     // its processor failed
	ShardLost       ShardState = "lost"       // another worker has it, or may have
	ShardEnded      ShardState = "ended"      // it was read to its end
)

// Sample is a point of a shard's history.
type Sample struct {
	Time               time.Time `json:"time"`
	MillisBehindLatest int64     `json:"millisBehindLatest"`
	RecordsPerSecond   float64   `json:"recordsPerSecond"`
}

// Error is something that went wrong.
type Error struct {
	Time time.Time `json:"time"`
	// ShardID is empty for what concerns the daemon.
	ShardID string `json:"shardId,omitempty"`
	Text    string `json:"text"`
	// Times is how often the same came in succession, 1 or more.
	Times int `json:"times"`
}
