package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
)

// Config says what a worker reads and how it runs the daemon. Application and
// either Stream or Streams are required, here or in PropertiesFile; all else may be
// left out.
//
// A field with a property's name behind it (in brackets) sets that property of
// the daemon, has its meaning, and stands above Properties, which stands above
// PropertiesFile. Where none of the three says anything, the daemon's own
// default holds, but for what is said here to have another.
type Config struct {
	// PropertiesFile is a properties file as kcl-bootstrap takes it. Its
	// executableName has no meaning here. A worker reports to KCL's leader every
	// 3 s. Set workerMetricsReporterFreqInMillis to the same in all workers of the
	// application, Amazon's daemons too (30 s by default): a leader takes those
	// that report less often than it for dead.
	PropertiesFile string

	// Stream is the name of the stream (streamName), or its ARN (streams). A name
	// is that of a stream of the worker's own account. With an ARN every call has
	// the ARN, so that a stream of another account is read and never one with the
	// same name at home. Its account must allow that by the stream's resource
	// policy, and by the policy of the key that encrypts it, if there is one; with
	// FanOut see ConsumerARN. kcl-infra iam-policy prints what is needed.
	Stream string
	// Streams are several streams, in the place of Stream (streams). All of them are
	// in Region; each may be of another account. One alone is as Stream is. With two
	// or more each lease's key has the stream in it: see [ShardInfo].
	//
	// A stream is added by a rolling restart of the workers: those that do not have
	// it yet may be dealt its leases, keep them unread, and say so in the log, until
	// they are restarted too. A stream that is removed is no longer read; its leases
	// with their checkpoints stay in the table, for the day on which it is added
	// again. From one stream to several, or back, the leases cannot be taken along:
	// Run refuses the table of the other kind, before anything is read. Give the
	// application a new name then, and InitialPosition a time at which the old one
	// was still at work.
	Streams []Stream
	// Application is the name of the application (applicationName) and of its
	// lease table: workers with the same name share the streams.
	Application string
	// Region is that of the stream and the tables, such as us-east-1
	// (regionName). If empty, AWS_REGION and what else the AWS SDK looks at
	// say it.
	Region string
	// CredentialsProvider is a class of the AWS SDK for Java
	// (AwsCredentialsProvider). Default: DefaultCredentialsProvider, which
	// takes environment, profile, container or instance role.
	CredentialsProvider string

	// InitialPosition is where a shard without a checkpoint starts
	// (initialPositionInStream). The daemon's default is Latest, which skips
	// what is there already, at every start until the first checkpoint of the
	// shard: what comes between a start and the next is not read when nothing was
	// checkpointed in the first. Streams may each have another.
	InitialPosition InitialPosition
	// InitialTimestamp is the time for AtTimestamp, in whole seconds
	// (initialPositionInStreamExtended).
	InitialTimestamp time.Time

	// RetrievalMode is Polling or FanOut (retrievalMode). The daemon's default
	// is FanOut, for which AWS charges.
	RetrievalMode RetrievalMode
	// ConsumerName is the name of the enhanced fan-out consumer, registered
	// when it is not there (fanoutConfig.consumerName). Default: Application.
	ConsumerName string
	// ConsumerARN is that of one which exists (fanoutConfig.consumerArn), for the one
	// stream that is read. A stream of another account needs it, for its owner alone
	// can register one; with several streams see [Stream].
	ConsumerARN string
	// MaxRecords is the most records of a batch with Polling, 1 to 10,000
	// (maxRecords). Default: 10,000.
	MaxRecords int
	// IdleTimeBetweenReads is the wait between two reads of a shard with
	// Polling, in whole milliseconds (idleTimeBetweenReadsInMillis).
	// Default: 1 s.
	IdleTimeBetweenReads time.Duration
	// NoEmptyBatches leaves out the empty batches that tell a processor of an
	// idle shard that the lag is 0 and let checkpoints through
	// (callProcessRecordsEvenForEmptyRecordList=false, the daemon's default).
	NoEmptyBatches bool

	// FailoverTime is how long a lease lasts that is not renewed, in whole
	// milliseconds (failoverTimeMillis). Default: 10 s. The shards of a worker that
	// died are read again within 20 s, for workers report every 3 s here
	// (workerMetricsReporterFreqInMillis, the daemon's own is 30 s): 864,000 writes
	// to DynamoDB per worker and month. All workers of an application must report
	// as often. When the leader died it takes up to 150 s, until its lock expires.
	FailoverTime time.Duration
	// LeaseAssignmentInterval is how often the leader deals out the leases, in
	// whole milliseconds (leaseAssignmentIntervalMillis). Default: 2 s here,
	// for a start waits for it; the daemon's own is 20 s.
	LeaseAssignmentInterval time.Duration
	// MaxLeases is the most shards that this worker takes (maxLeasesForWorker).
	// Default: no limit. Leases of streams that are read no more count too, though
	// nobody reads their shards: delete them (kcl-infra delete --leases-of), or
	// shards that are read may find no worker.
	MaxLeases int
	// Table is the name of the lease table (tableName). Default: Application.
	Table string
	// ShutdownGrace is how long processors may take at a stop, in whole
	// milliseconds (shutdownGraceMillis). Default: 10 s. Less than a millisecond,
	// but not 0, means none.
	ShutdownGrace time.Duration
	// MessageTimeout is how long a processor's method may take, in whole seconds
	// (timeoutInSeconds): then the processor has failed. Default: for ever.
	// Package handle's WithWatchdog says which record it was.
	MessageTimeout time.Duration

	// MetricsLevel is what goes to CloudWatch (metricsLevel). Default: that of
	// the daemon, MetricsDetailed, for which AWS charges; MetricsNone with an
	// endpoint of one's own.
	MetricsLevel MetricsLevel
	// KinesisEndpoint and DynamoDBEndpoint are URLs in the place of AWS's
	// (kinesisEndpoint, dynamoDBEndpoint). Where they are empty,
	// AWS_ENDPOINT_URL_KINESIS and AWS_ENDPOINT_URL_DYNAMODB of the environment
	// hold, which every AWS SDK knows.
	KinesisEndpoint, DynamoDBEndpoint string

	// Properties are further properties of the daemon by name. One that it does
	// not know is an error, as in kcl-bootstrap check.
	Properties map[string]string

	// WorkerID is this worker's name among those of the application, and must
	// be its alone (workerId). A worker that comes back under its old name gets
	// its leases at once, not after FailoverTime and a new dealing out.
	// Default: one that is claimed in StateDir, or else a random one, which
	// holds as long as Run does.
	WorkerID string
	// StateDir is a folder on a local disk in which a worker ID of this host is
	// claimed: see bootstrap.ClaimWorker. Default: none.
	StateDir string

	// Restart says when Java is started again that has ended by itself or is
	// silent. A first one that ends before KCL was ready is not, nor is any when
	// Restart.Limit is negative. Restart.Restarting is called besides what the
	// worker does itself.
	Restart bootstrap.RestartPolicy
	// Silence is how long Java or this process may be silent to the other: then
	// Java is killed, or gives its leases back and halts. Default: 1 min.
	Silence time.Duration
	// EvictFailing gives a shard up to other workers when its processors have
	// failed three times within an hour. Default: it is kept, and tried again
	// ever more seldom, at last once a minute.
	EvictFailing bool
	// ReturnGrace is how long a processor whose conversation with KCL has ended
	// may take to return. Then it is reported as hung; its shard is not read
	// until it has returned. Default: 1 min.
	ReturnGrace time.Duration

	// Java is the java command or a Java installation, of version 17 or later.
	// Default: that of JAVA_HOME, else java in PATH, else, where PATH has none or an
	// older one, Java 25, which is fetched into the jars' folder (45 MB, 71 MB
	// unpacked) and verified there at each start; see bootstrap.FetchJava.
	Java string
	// NoArchive has Java start without the class-data archive that a first good run
	// makes beside the jars, and none made: see bootstrap.Command.CacheDir.
	NoArchive bool
	// NoFetchJava makes it an error that there is no Java, or too old a one.
	NoFetchJava bool
	// JavaOptions are options of Java's own, such as -Xmx2g. Default: what suits the
	// memory and the processors, see the README of bootstrap.
	JavaOptions []string
	// ClassPath are further jars and folders for the daemon.
	ClassPath []string
	// Fetch says where the daemon's jars, and a Java that is fetched, come from and are
	// kept.
	Fetch bootstrap.FetchOptions

	// HTTP is the address, HOST:PORT, at which Handler is served while Run
	// runs; without a host, 127.0.0.1. There, a request whose Host
	// header is neither localhost nor an IP address gets 403: it may be of a web page
	// elsewhere. A proxy must not pass another name on. Default: none.
	HTTP string
	// Log gets what the worker does and what it is told of its processors:
	// starts and stops at Info, failures at Warn and Error, actions at Debug.
	// It gets KCL's log too, with the attribute "logger": warnings and errors at
	// their level, what KCL tells at INFO at Debug, and what it tells at DEBUG
	// below that. Records are never logged. Default: nothing is logged.
	Log *slog.Logger
	// Options are for processor.Run; WithStopNotice and WithCheckpointNotice are
	// the worker's own and must not be among them.
	Options []processor.Option
}

// A Stream is one of [Config.Streams], with what differs for it.
type Stream struct {
	// Stream is its name, for a stream of the worker's own account, or its ARN.
	Stream string
	// InitialPosition is where its shards start that have no checkpoint. Default:
	// that of Config. InitialTimestamp is the time for AtTimestamp, in whole seconds.
	InitialPosition  InitialPosition
	InitialTimestamp time.Time
	// ConsumerARN is that of a fan-out consumer of this stream that exists, for
	// FanOut. Default: one with the name of Config.ConsumerName is found or
	// registered. A stream of another account needs it, for its owner alone can
	// register one: without it Run fails, and consumers that were registered by then
	// at streams of the worker's account stay, which AWS charges for.
	ConsumerARN string
}

// InitialPosition is where a shard without a checkpoint starts.
type InitialPosition string

// The initial positions.
const (
	// Latest is behind the newest record, of the moment at which the reading
	// begins.
	Latest InitialPosition = "LATEST"
	// TrimHorizon is the oldest record that the stream still has.
	TrimHorizon InitialPosition = "TRIM_HORIZON"
	// AtTimestamp is Config.InitialTimestamp.
	AtTimestamp InitialPosition = "AT_TIMESTAMP"
)

// RetrievalMode is how the daemon reads a shard.
type RetrievalMode string

// The retrieval modes.
const (
	// Polling shares the read limits of a shard with all other consumers.
	Polling RetrievalMode = "POLLING"
	// FanOut has limits of its own for each consumer.
	FanOut RetrievalMode = "FANOUT"
)

// MetricsLevel says which metrics the daemon sends to CloudWatch.
type MetricsLevel string

// The metrics levels.
const (
	MetricsNone     MetricsLevel = "NONE"
	MetricsSummary  MetricsLevel = "SUMMARY"
	MetricsDetailed MetricsLevel = "DETAILED"
)

const (
	defaultShutdownGrace           = 10 * time.Second
	defaultLeaseAssignmentInterval = 2 * time.Second
	// A worker that has died loses its leases when they expire: KCL's leader takes
	// it for alive until its report is two intervals old, 60 s by KCL's default, and
	// until then may give it the leases again.
	defaultReportInterval = 3 * time.Second
	defaultReturnGrace    = time.Minute
)

// smoothing goes with defaultReportInterval. KCL smooths the workers' load over
// reports: these are as many as come in the time of KCL's own, 10 and 0.5.
var smoothing = map[string]string{
	"noOfPersistedMetricsPerWorkerMetrics": "40",
	"workerMetricsEMAAlpha":                "0.07",
}

// properties returns the daemon's properties that the fields set.
func (c *Config) properties() map[string]string {
	all := make(map[string]string)
	maps.Copy(all, c.Properties)
	text := func(name, value string) {
		if value != "" {
			all[name] = value
		}
	}
	number := func(name string, n int) {
		if n != 0 {
			all[name] = strconv.Itoa(n)
		}
	}
	duration := func(name string, d, unit time.Duration) {
		if d != 0 {
			all[name] = strconv.FormatInt(int64(d/unit), 10)
		}
	}
	if streams := c.streams(); streams != nil {
		for _, name := range streamProperties {
			delete(all, name)
		}
		if one := streams[0]; len(streams) == 1 && one == (bootstrap.Stream{Stream: one.Stream}) && !strings.HasPrefix(one.Stream, "arn:") {
			all["streamName"] = one.Stream
		} else {
			all["streams"] = bootstrap.FormatStreams(streams)
		}
	}
	text("applicationName", c.Application)
	text("regionName", c.Region)
	text("AwsCredentialsProvider", c.CredentialsProvider)
	text("initialPositionInStream", string(c.InitialPosition))
	if !c.InitialTimestamp.IsZero() {
		all["initialPositionInStreamExtended"] = strconv.FormatInt(c.InitialTimestamp.Unix(), 10)
	}
	text("retrievalMode", string(c.RetrievalMode))
	text("fanoutConfig.consumerName", c.ConsumerName)
	text("fanoutConfig.consumerArn", c.ConsumerARN)
	number("maxRecords", c.MaxRecords)
	duration("idleTimeBetweenReadsInMillis", c.IdleTimeBetweenReads, time.Millisecond)
	if c.NoEmptyBatches {
		all["callProcessRecordsEvenForEmptyRecordList"] = "false"
	}
	duration("failoverTimeMillis", c.FailoverTime, time.Millisecond)
	duration("leaseAssignmentIntervalMillis", c.LeaseAssignmentInterval, time.Millisecond)
	number("maxLeasesForWorker", c.MaxLeases)
	text("tableName", c.Table)
	duration("shutdownGraceMillis", c.ShutdownGrace, time.Millisecond)
	duration("timeoutInSeconds", c.MessageTimeout, time.Second)
	text("metricsLevel", string(c.MetricsLevel))
	text("kinesisEndpoint", c.KinesisEndpoint)
	text("dynamoDBEndpoint", c.DynamoDBEndpoint)
	text("workerId", c.WorkerID)
	return all
}

// streamProperties are those of which one says what is read.
var streamProperties = []string{"streamName", "streamArn", "streams"}

// streams returns what the fields say; nil for nothing.
func (c *Config) streams() (all []bootstrap.Stream) {
	if c.Stream != "" {
		return []bootstrap.Stream{{Stream: c.Stream}}
	}
	for _, s := range c.Streams {
		all = append(all, bootstrap.Stream{
			Stream: s.Stream, InitialPosition: string(s.InitialPosition), InitialTimestamp: s.InitialTimestamp, ConsumerARN: s.ConsumerARN,
		})
	}
	return all
}

// defaults adds what holds where neither the fields nor the file say anything.
func (c *Config) defaults(all map[string]string, inFile func(name string) bool) {
	set := func(name, value string, others ...string) bool {
		for _, n := range append(others, name) {
			if _, ok := all[n]; ok || inFile(n) {
				return false
			}
		}
		if value != "" {
			all[name] = value
		}
		return value != ""
	}
	// What is said of the streams here stands above all that the file says of them.
	here := func(name string) bool { _, ok := all[name]; return ok }
	if slices.ContainsFunc(streamProperties, here) {
		for _, name := range streamProperties {
			if !here(name) && inFile(name) {
				all[name] = ""
			}
		}
	}
	set("AwsCredentialsProvider", "DefaultCredentialsProvider", "awsCredentialsProvider", "kinesisCredentialsProvider.class")
	set("kinesisEndpoint", os.Getenv("AWS_ENDPOINT_URL_KINESIS"), "kinesisClient.endpointOverride")
	set("dynamoDBEndpoint", os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"), "dynamoDbClient.endpointOverride")
	if _, own := all["kinesisEndpoint"]; own {
		set("metricsLevel", string(MetricsNone))
	}
	set("leaseAssignmentIntervalMillis", millis(defaultLeaseAssignmentInterval))
	const report, bean = "workerMetricsReporterFreqInMillis", "workerUtilizationAwareAssignmentConfigBean."
	if set(report, millis(defaultReportInterval), bean+report) {
		for name, value := range smoothing {
			set(name, value, bean+name)
		}
	}
	set("shutdownGraceMillis", millis(defaultShutdownGrace))
	set("callProcessRecordsEvenForEmptyRecordList", "true")
	set("processingLanguage", "go")
}

func (c *Config) returnGrace() time.Duration {
	if c.ReturnGrace == 0 {
		return defaultReturnGrace
	}
	return c.ReturnGrace
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// validate lists what is wrong with the fields that are not properties.
func (c *Config) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("Config."+format, args...)) }
	if c.PropertiesFile == "" {
		if c.streams() == nil && !slices.ContainsFunc(streamProperties, func(name string) bool { return c.Properties[name] != "" }) {
			wrong("Stream is empty: name the stream to read, or several in Streams, or a PropertiesFile")
		}
		if c.Application == "" && c.Properties["applicationName"] == "" {
			wrong("Application is empty: name the application, whose workers share the stream")
		}
	}
	if c.Stream != "" && len(c.Streams) > 0 {
		wrong("Stream and Streams are both set: Stream is for one stream alone")
	}
	if c.WorkerID != "" && c.StateDir != "" {
		wrong("WorkerID and StateDir are both set: StateDir is for a worker ID that is claimed")
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"IdleTimeBetweenReads", int64(c.IdleTimeBetweenReads)},
		{"FailoverTime", int64(c.FailoverTime)},
		{"LeaseAssignmentInterval", int64(c.LeaseAssignmentInterval)},
		{"ShutdownGrace", int64(c.ShutdownGrace)},
		{"MessageTimeout", int64(c.MessageTimeout)},
		{"ReturnGrace", int64(c.ReturnGrace)},
		{"Silence", int64(c.Silence)},
		{"MaxRecords", int64(c.MaxRecords)},
		{"MaxLeases", int64(c.MaxLeases)},
	} {
		if f.value < 0 {
			wrong("%s is negative", f.name)
		}
	}
	return errors.Join(errs...)
}
