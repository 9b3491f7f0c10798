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
)

// Config describes what a worker reads and how it runs. Application and either
// Stream or Streams must be set, here or in PropertiesFile. All other fields are
// optional.
//
// A property in parentheses after a field's first sentence is the one of Amazon's
// MultiLangDaemon that the field sets; it has the same meaning. A field overrides
// Properties, and Properties overrides PropertiesFile. A property that is set
// nowhere has the daemon's default, unless the field names another default.
type Config struct {
	// Stream is the name of the stream (streamName) or its ARN (streams). A name
	// means a stream of the worker's own account. With an ARN, every call contains
	// the ARN, so that a stream of another account is read and never one with the
	// same name in the worker's account. The other account must allow this in the
	// stream's resource policy and, if the stream is encrypted, in the policy of its
	// KMS key; for FanOut see RetrievalOptions.ConsumerARN. kcl-infra iam-policy prints
	// the permissions.
	Stream string
	// Application is the name of the application (applicationName) and of its lease
	// table. Workers with the same application name share the streams.
	Application string
	// Region is the region of the streams and the tables (regionName), such as
	// us-east-1. Defaults to the region of AWS_REGION and the other places where the
	// AWS SDK looks.
	Region string
	// InitialPosition is where a shard without a checkpoint starts
	// (initialPositionInStream). Each of Streams may have another. Defaults to Latest,
	// which skips the records that are already there. It does so at every start until
	// the shard's first checkpoint: if a run makes no checkpoint, the records that
	// arrive between it and the next start are not read. After a shard that was read to
	// its end, its child shards always start at their first record.
	InitialPosition InitialPosition
	// Logger gets what the worker does and what it learns about its processors:
	// starts and stops at Info, failures at Warn and Error, actions at Debug.
	// It also gets KCL's log, with the attribute "logger": warnings and errors at
	// the same level, Info as Debug, and Debug one level (4) below Debug. It gets no
	// record's data, except what your code puts into its errors. Nil means that nothing
	// is logged.
	Logger *slog.Logger

	// InitialTimestamp is the time for AtTimestamp, in whole seconds
	// (initialPositionInStreamExtended).
	InitialTimestamp time.Time
	// Streams are several streams (streams), instead of Stream. All must be in
	// Region; each may belong to another account. A list of one stream works like
	// Stream. With two or more, each lease key contains its stream: see [ShardInfo].
	//
	// To add a stream, restart the workers one after the other. A worker that does
	// not know the stream yet may be assigned its leases; it keeps them unread, and
	// logs that, until it is restarted too. A removed stream is no longer read. Its
	// leases stay in the table with their checkpoints, in case it is added again.
	//
	// To go from one stream to several, or back, choose a new application name, and as
	// InitialPosition a time at which the old one was still reading: the leases of one
	// form cannot be used for the other, and Run refuses such a table before it reads
	// anything.
	Streams []Stream
	// PropertiesFile is a properties file as kcl-bootstrap reads it; its
	// executableName is ignored.
	PropertiesFile string
	// Properties are further properties of the daemon, by name. An unknown one is an
	// error, as in kcl-bootstrap check.
	Properties map[string]string

	// Retrieval describes how records are read.
	Retrieval RetrievalOptions
	// Leases describes which shards the worker takes, and under which name.
	Leases LeaseOptions
	// Processors describes how record processors are called, stopped and replaced.
	Processors ProcessorOptions
	// Java describes the Java process that runs KCL.
	Java JavaOptions
	// AWS describes how AWS is called.
	AWS AWSOptions
}

// RetrievalOptions describe how a worker reads records. The zero value means the
// defaults.
type RetrievalOptions struct {
	// Mode is Polling or FanOut (retrievalMode). Defaults to FanOut, for which AWS
	// charges.
	Mode RetrievalMode
	// ConsumerName is the name of the consumer for FanOut, which is registered if it
	// does not exist (fanoutConfig.consumerName). Defaults to Config.Application.
	ConsumerName string
	// ConsumerARN is the ARN of an existing consumer for FanOut, when one stream is
	// read (fanoutConfig.consumerArn). A stream of another account needs it, because
	// only the stream's owner can register a consumer. For several streams see
	// [Stream].
	ConsumerARN string
	// MaxRecords is the largest number of records in a batch with Polling
	// (maxRecords), 1 to 10,000. Defaults to 10,000. With FanOut AWS sets the size.
	MaxRecords int
	// IdleTimeBetweenReads is the pause between two reads of a shard with Polling
	// (idleTimeBetweenReadsInMillis), in whole milliseconds. Defaults to 1 s.
	IdleTimeBetweenReads time.Duration
	// NoEmptyBatches suppresses empty batches
	// (callProcessRecordsEvenForEmptyRecordList=false, the daemon's default). Empty
	// batches tell the processor of an idle shard that its lag is 0, and give it the
	// chance to make checkpoints. They are delivered by default.
	NoEmptyBatches bool
}

// LeaseOptions describe which shards a worker takes, and under which name. The zero
// value means the defaults.
//
// One worker, the leader, assigns the leases. All workers of an application must have the
// same workerMetricsReporterFreqInMillis, Amazon's daemons too: the leader considers a
// worker dead that reports less often than the leader itself. The property is 3 s here,
// which is 864,000 writes to DynamoDB per worker and month; in the daemon it is 30 s.
type LeaseOptions struct {
	// WorkerID is the name of this worker (workerId). It must be unique within the
	// application. A worker that comes back with its old ID gets its leases at once
	// instead of after FailoverTime and a reassignment. Defaults to an ID that is
	// claimed in StateDir or, without that, to a random one for this Run.
	WorkerID string
	// StateDir is a folder on a local disk in which the worker claims an ID of this
	// host: see bootstrap.ClaimWorkerID. Defaults to none.
	StateDir string
	// FailoverTime is how long a lease lasts without being renewed
	// (failoverTimeMillis), in whole milliseconds. Defaults to 10 s. With the defaults
	// the shards of a worker that died are read again within 20 s, or within 150 s if it
	// was the leader.
	FailoverTime time.Duration
	// AssignmentInterval is how often the leader assigns leases
	// (leaseAssignmentIntervalMillis), in whole milliseconds. A start waits for it.
	// Defaults to 2 s; in the daemon to 20 s.
	AssignmentInterval time.Duration
	// Max is the largest number of leases that this worker takes
	// (maxLeasesForWorker). Defaults to no limit. Leases of streams that are no longer
	// read count too, although nobody reads their shards: delete them (kcl-infra
	// delete --leases-of), or some shards may find no worker.
	Max int
	// Table is the name of the lease table (tableName). Defaults to
	// Config.Application.
	Table string
}

// ProcessorOptions describe how a worker calls, stops and replaces record
// processors. The zero value means the defaults.
type ProcessorOptions struct {
	// CheckpointRetries is how often a throttled checkpoint is tried again, 1 to 100:
	// see the field of this name in processor.Options. Defaults to 10; negative means
	// none.
	CheckpointRetries int
	// MessageTimeout is how long a processor's method may take (timeoutInSeconds), in
	// whole seconds; a processor that takes longer has failed. HangTimeout in
	// handle.Options names the record. Defaults to no limit.
	MessageTimeout time.Duration
	// ShutdownGrace is how long processors may take to stop (shutdownGraceMillis), in
	// whole milliseconds. Defaults to 10 s. A negative value leaves them no time: the last
	// checkpoints may be missing, and Run then returns an error.
	ShutdownGrace time.Duration
	// ReturnGrace is how long a processor may take to return after its conversation
	// with KCL has ended. Then it is reported as hung, and its shard is not read until
	// it has returned. Defaults to 1 min.
	ReturnGrace time.Duration
	// EvictFailing gives a shard up to other workers after its processors have failed
	// three times within an hour. By default this worker keeps the shard and tries
	// again at growing intervals, up to 1 min.
	EvictFailing bool
}

// JavaOptions describe the Java process that runs KCL. The zero value means the
// defaults.
type JavaOptions struct {
	// Path is the java command or the folder of a Java installation, version 17 or
	// later. Defaults to the Java of JAVA_HOME, then to java in PATH. If PATH has none
	// or an older one, Java 25 is fetched into the folder of the jars (45 MB, 71 MB
	// unpacked) and verified there at each start: see bootstrap.FetchJava.
	Path string
	// Options are options of the java command, such as -Xmx2g. Defaults to options
	// that suit the memory and the processors: see the README of bootstrap.
	Options []string
	// ClassPath are further jars and folders for the daemon's class path. Defaults to
	// none.
	ClassPath []string
	// NoFetch makes a missing or too old Java an error instead of fetching one.
	NoFetch bool
	// NoArchive makes Java start without a class-data archive, and makes none. By
	// default the first good run writes one beside the jars, with which Java starts
	// faster: see bootstrap.Command.CacheDir.
	NoArchive bool
	// Fetch describes where the jars, and a fetched Java, come from and where they are
	// kept. Its logger defaults to Config.Logger.
	Fetch bootstrap.FetchOptions
	// Restart describes when a Java process that ended by itself, or was silent, is
	// started again. Java that ends before KCL was ever ready is not. The worker calls
	// Restart.Restarting in addition to what it does itself.
	Restart bootstrap.RestartPolicy
	// Silence is how long the other side may be silent. If Java is, this process kills
	// it; if this process is, Java gives its leases back and ends. Defaults to 1 min.
	Silence time.Duration
}

// AWSOptions describe how a worker calls AWS. The zero value means the defaults.
type AWSOptions struct {
	// CredentialsProvider is a class of the AWS SDK for Java
	// (AwsCredentialsProvider). Defaults to DefaultCredentialsProvider, which looks at
	// the environment, the profile, and the role of the container or instance.
	CredentialsProvider string
	// KinesisEndpoint and DynamoDBEndpoint are URLs to call instead of AWS's
	// (kinesisEndpoint, dynamoDBEndpoint). They default to AWS_ENDPOINT_URL_KINESIS
	// and AWS_ENDPOINT_URL_DYNAMODB of the environment, as in every AWS SDK.
	KinesisEndpoint, DynamoDBEndpoint string
	// MetricsLevel is what goes to CloudWatch (metricsLevel). Defaults to MetricsNone if
	// KinesisEndpoint or AWS_ENDPOINT_URL_KINESIS is set, else to MetricsDetailed, for
	// which AWS charges.
	MetricsLevel MetricsLevel
}

// A Stream is one of [Config.Streams], with its own settings.
type Stream struct {
	// Stream is the name of a stream of the worker's own account, or an ARN.
	Stream string
	// InitialPosition is where shards of this stream without a checkpoint start.
	// Defaults to Config.InitialPosition.
	InitialPosition InitialPosition
	// InitialTimestamp is the time for AtTimestamp, in whole seconds.
	InitialTimestamp time.Time
	// ConsumerARN is the ARN of an existing consumer of this stream, for FanOut.
	// By default the consumer with the name of RetrievalOptions.ConsumerName is used,
	// and registered if it does not exist. A stream of another account needs a
	// ConsumerARN, because only its owner can register a consumer. Without it Run
	// fails; consumers that were registered by then for streams of the worker's
	// account stay, and AWS charges for them.
	ConsumerARN string
}

// InitialPosition is where a shard without a checkpoint starts.
type InitialPosition string

// The initial positions.
const (
	// Latest is after the newest record at the time when reading starts.
	Latest InitialPosition = "LATEST"
	// TrimHorizon is the oldest record that the stream still has.
	TrimHorizon InitialPosition = "TRIM_HORIZON"
	// AtTimestamp is the time of InitialTimestamp.
	AtTimestamp InitialPosition = "AT_TIMESTAMP"
)

// RetrievalMode is how KCL reads a shard.
type RetrievalMode string

// The retrieval modes.
const (
	// Polling shares the read limits of a shard with all other consumers.
	Polling RetrievalMode = "POLLING"
	// FanOut has read limits of its own for each consumer.
	FanOut RetrievalMode = "FANOUT"
)

// MetricsLevel is how many metrics KCL sends to CloudWatch.
type MetricsLevel string

// The metrics levels.
const (
	MetricsNone     MetricsLevel = "NONE"
	MetricsSummary  MetricsLevel = "SUMMARY"
	MetricsDetailed MetricsLevel = "DETAILED"
)

const (
	defaultShutdownGrace      = 10 * time.Second
	defaultAssignmentInterval = 2 * time.Second
	// A worker that has died loses its leases when they expire. KCL's leader takes it
	// for alive until its last report is two intervals old, 60 s by KCL's default, and
	// may assign the leases to it again until then.
	defaultReportInterval = 3 * time.Second
	defaultReturnGrace    = time.Minute
	maxCheckpointRetries  = 100
)

// smoothing goes with defaultReportInterval. KCL smooths the workers' load over its
// last reports. These values cover the same time as KCL's own, 10 and 0.5.
var smoothing = map[string]string{
	"noOfPersistedMetricsPerWorkerMetrics": "40",
	"workerMetricsEMAAlpha":                "0.07",
}

// A field is a field of Config that sets a property.
type field struct {
	name     string // as in Config.Leases.Table
	property string
	value    string // of the property; empty if the field is not set
}

// fields lists the fields that set properties, except those that name the streams.
func (c *Config) fields() []field {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	in := func(unit, d time.Duration) string {
		if d == 0 {
			return ""
		}
		return strconv.FormatInt(int64(max(d, 0)/unit), 10)
	}
	timestamp, emptyBatches := "", ""
	if !c.InitialTimestamp.IsZero() {
		timestamp = strconv.FormatInt(c.InitialTimestamp.Unix(), 10)
	}
	if c.Retrieval.NoEmptyBatches {
		emptyBatches = "false"
	}
	return []field{
		{"Config.Application", "applicationName", c.Application},
		{"Config.Region", "regionName", c.Region},
		{"Config.InitialPosition", "initialPositionInStream", string(c.InitialPosition)},
		{"Config.InitialTimestamp", "initialPositionInStreamExtended", timestamp},
		{"Config.Retrieval.Mode", "retrievalMode", string(c.Retrieval.Mode)},
		{"Config.Retrieval.ConsumerName", "fanoutConfig.consumerName", c.Retrieval.ConsumerName},
		{"Config.Retrieval.ConsumerARN", "fanoutConfig.consumerArn", c.Retrieval.ConsumerARN},
		{"Config.Retrieval.MaxRecords", "maxRecords", number(c.Retrieval.MaxRecords)},
		{"Config.Retrieval.IdleTimeBetweenReads", "idleTimeBetweenReadsInMillis", in(time.Millisecond, c.Retrieval.IdleTimeBetweenReads)},
		{"Config.Retrieval.NoEmptyBatches", "callProcessRecordsEvenForEmptyRecordList", emptyBatches},
		{"Config.Leases.WorkerID", "workerId", c.Leases.WorkerID},
		{"Config.Leases.FailoverTime", "failoverTimeMillis", in(time.Millisecond, c.Leases.FailoverTime)},
		{"Config.Leases.AssignmentInterval", "leaseAssignmentIntervalMillis", in(time.Millisecond, c.Leases.AssignmentInterval)},
		{"Config.Leases.Max", "maxLeasesForWorker", number(c.Leases.Max)},
		{"Config.Leases.Table", "tableName", c.Leases.Table},
		{"Config.Processors.MessageTimeout", "timeoutInSeconds", in(time.Second, c.Processors.MessageTimeout)},
		{"Config.Processors.ShutdownGrace", "shutdownGraceMillis", in(time.Millisecond, c.Processors.ShutdownGrace)},
		{"Config.AWS.CredentialsProvider", "AwsCredentialsProvider", c.AWS.CredentialsProvider},
		{"Config.AWS.KinesisEndpoint", "kinesisEndpoint", c.AWS.KinesisEndpoint},
		{"Config.AWS.DynamoDBEndpoint", "dynamoDBEndpoint", c.AWS.DynamoDBEndpoint},
		{"Config.AWS.MetricsLevel", "metricsLevel", string(c.AWS.MetricsLevel)},
	}
}

// properties returns the properties that Properties and the fields set.
func (c *Config) properties() map[string]string {
	all := make(map[string]string)
	maps.Copy(all, c.Properties)
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
	for _, f := range c.fields() {
		if f.value != "" {
			all[f.property] = f.value
		}
	}
	return all
}

// streamProperties are the properties that name what is read; only one is set.
var streamProperties = []string{"streamName", "streamArn", "streams"}

// streams returns the streams that the fields name, or nil.
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

// addDefaults adds to all the properties that neither it nor the file has. It also
// empties the properties of the file that name streams, if all names streams.
func (c *Config) addDefaults(all map[string]string, inFile func(name string) bool) {
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
	if here("kinesisEndpoint") {
		set("metricsLevel", string(MetricsNone))
	}
	set("leaseAssignmentIntervalMillis", millis(defaultAssignmentInterval))
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

// source returns where a property is set, or should be: a field of Config or a
// variable of the environment.
func (c *Config) source(property string) string {
	if slices.Contains(streamProperties, property) {
		switch {
		case len(c.Streams) > 0:
			return "Config.Streams"
		case c.Stream != "" || c.Properties[property] == "":
			return "Config.Stream"
		}
	}
	for _, f := range c.fields() {
		if f.property != property || f.value == "" && c.Properties[property] != "" {
			continue
		}
		switch {
		case f.value == "" && property == "kinesisEndpoint":
			return "AWS_ENDPOINT_URL_KINESIS"
		case f.value == "" && property == "dynamoDBEndpoint":
			return "AWS_ENDPOINT_URL_DYNAMODB"
		}
		return f.name
	}
	return "Config.Properties"
}

func (o *ProcessorOptions) returnGrace() time.Duration {
	if o.ReturnGrace == 0 {
		return defaultReturnGrace
	}
	return o.ReturnGrace
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// validate returns everything that is wrong with the fields by themselves. What is
// wrong with the properties that they set, the check of the properties finds.
func (c *Config) validate() error {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("worker: Config."+field+": "+format, args...))
	}
	if c.PropertiesFile == "" {
		if c.streams() == nil && !slices.ContainsFunc(streamProperties, func(name string) bool { return c.Properties[name] != "" }) {
			wrong("Stream", "it is empty; name the stream to read, several in Streams, or a PropertiesFile")
		}
		if c.Application == "" && c.Properties["applicationName"] == "" {
			wrong("Application", "it is empty; name the application, whose workers share the stream")
		}
	}
	if c.Stream != "" && len(c.Streams) > 0 {
		wrong("Stream", "Stream and Streams are both set; Stream is for a single stream")
	}
	if c.Leases.WorkerID != "" && c.Leases.StateDir != "" {
		wrong("Leases.WorkerID", "WorkerID and StateDir are both set; StateDir is for a worker ID that is claimed")
	}
	if n := c.Processors.CheckpointRetries; n > maxCheckpointRetries {
		wrong("Processors.CheckpointRetries", "%d is more than %d", n, maxCheckpointRetries)
	}
	for _, f := range []struct {
		name  string
		value int
	}{
		{"Retrieval.MaxRecords", c.Retrieval.MaxRecords},
		{"Leases.Max", c.Leases.Max},
	} {
		if f.value < 0 {
			wrong(f.name, "%d is negative", f.value)
		}
	}
	for _, f := range []struct {
		name     string
		value    time.Duration
		unit     time.Duration // of the property; 1 for none
		negative bool          // is allowed
	}{
		{"Retrieval.IdleTimeBetweenReads", c.Retrieval.IdleTimeBetweenReads, time.Millisecond, false},
		{"Leases.FailoverTime", c.Leases.FailoverTime, time.Millisecond, false},
		{"Leases.AssignmentInterval", c.Leases.AssignmentInterval, time.Millisecond, false},
		{"Processors.MessageTimeout", c.Processors.MessageTimeout, time.Second, false},
		{"Processors.ShutdownGrace", c.Processors.ShutdownGrace, time.Millisecond, true},
		{"Processors.ReturnGrace", c.Processors.ReturnGrace, 1, false},
		{"Java.Silence", c.Java.Silence, 1, false},
	} {
		switch {
		case f.value < 0 && !f.negative:
			wrong(f.name, "%v is negative", f.value)
		case f.value > 0 && f.value < f.unit:
			wrong(f.name, "%v is less than %v", f.value, f.unit)
		}
	}
	return errors.Join(errs...)
}
