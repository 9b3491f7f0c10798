package bootstrap

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What DynamoDB and Kinesis accept. The expressions are compiled when they are used:
// repetition counts take half a megabyte.
var (
	tableName   = compiled(`^[a-zA-Z0-9_.-]{3,255}$`)
	streamName  = compiled(`^[a-zA-Z0-9_.-]{1,128}$`) // and a consumer's
	streamARN   = compiled(`^arn:aws[a-z0-9-]*:kinesis:([a-z0-9-]+):[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128})$`)
	consumerARN = compiled(`^arn:aws[a-z0-9-]*:kinesis:([a-z0-9-]+):[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128})/consumer/[a-zA-Z0-9_.-]{1,128}:[0-9]+$`)
	regionForm  = compiled(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	workerName  = compiled(`.`)
)

const (
	tableForm    = "cannot name a DynamoDB table; use 3 to 255 of a-z A-Z 0-9 _ . -"
	consumerForm = "cannot name a consumer; use 1 to 128 of a-z A-Z 0-9 _ . -"
	workerForm   = "cannot name a worker; give it a name, or remove it for a random one"
)

// forms are the forms of properties for which the daemon accepts any text, but AWS does not.
var forms = map[string]struct {
	takes func() *regexp.Regexp
	text  string
}{
	"tableName":                 {compiled(`^$|` + tableName().String()), tableForm}, // empty is unset
	"coordinatorStateTableName": {tableName, tableForm},
	"coordinatorStateTableConfigBean.coordinatorStateTableName": {tableName, tableForm},
	"workerMetricsTableName":                                    {tableName, tableForm},
	"workerMetricStatsTableConfigBean.workerMetricsTableName":   {tableName, tableForm},
	"fanoutConfig.consumerName":                                 {streamName, consumerForm},
	"fanoutConfig.consumerArn":                                  {consumerARN, "is not the ARN of a consumer; its form is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECONDS"},
	"workerId":                                                  {workerName, workerForm},
	"workerIdentifier":                                          {workerName, workerForm},
}

// ranges are the ranges of numbers outside which the daemon's classes start but fail later,
// or AWS refuses the calls. 0 is the default for most.
var ranges = map[string]struct {
	least, most int64
	why         string
}{
	"maxRecords":               {0, 10_000, "GetRecords returns no more"},
	"pollingConfig.maxRecords": {0, 10_000, "GetRecords returns no more"},
	// A third of it minus 25 is the interval of a timer.
	"failoverTimeMillis": {78, 1 << 40, "KCL derives an interval of 0 from it, and ends"},
	// So is half of it minus 25.
	"leaseAssignmentIntervalMillis": {52, 1 << 40, "KCL derives an interval of 0 from it, and ends"},
	// A pool has at least 2 threads.
	"maxLeaseRenewalThreads":                {2, 1 << 31, "KCL ends without a second thread"},
	"maxGetRecordsThreadPool":               {1, 1 << 31, "KCL reads no shard without a thread"},
	"pollingConfig.maxGetRecordsThreadPool": {1, 1 << 31, "KCL reads no shard without a thread"},
	"timeoutInSeconds":                      {1, 1 << 31, "no message is answered in less"},
}

// limits looks for values that AWS refuses, or KCL while it works.
func (c *checker) limits() {
	for _, name := range c.inOrder {
		value := c.value(name)
		// Other checks find an ARN instead of a name, and the reverse.
		reversed := value != "" && strings.HasSuffix(name, "Arn") != strings.HasPrefix(value, "arn:")
		if f, ok := forms[name]; ok && !reversed && !f.takes().MatchString(value) {
			text, suggestion, _ := strings.Cut(f.text, "; ")
			c.error(name, withSpace(value, strconv.Quote(value)+" "+text), suggestion)
		}
		r, ok := ranges[name]
		n, err := strconv.ParseInt(javaTrim(value), 10, 64)
		key, _ := c.keys.lookup(name)
		switch {
		case !ok || err != nil || n < 0 || n == 0 && key.zeroIgnored: // another check finds it
		case n < r.least:
			c.error(name, fmt.Sprintf("%d is too small: %s", n, r.why), fmt.Sprintf("the minimum is %d", r.least))
		case n > r.most:
			c.error(name, fmt.Sprintf("%d is too large: %s", n, r.why), fmt.Sprintf("the maximum is %d", r.most))
		}
	}
}

// derived checks the names that are derived from the application's.
func (c *checker) derived() {
	const longest = 255 - len("-WorkerMetricStats")
	name := c.value("applicationName")
	own := func(names ...string) bool { return slices.ContainsFunc(names, c.has) }
	if len(name) > longest && !(own("coordinatorStateTableName", "coordinatorStateTableConfigBean.coordinatorStateTableName") &&
		own("workerMetricsTableName", "workerMetricStatsTableConfigBean.workerMetricsTableName")) {
		c.error("applicationName", fmt.Sprintf("it has %d characters, too many for the table NAME-WorkerMetricStats", len(name)), fmt.Sprintf("use at most %d", longest))
	}
	if len(name) > 128 && c.mode() == fanoutMode && !own("fanoutConfig.consumerName", "fanoutConfig.consumerArn") {
		c.error("applicationName", fmt.Sprintf("it has %d characters, too many for the name of the stream's consumer", len(name)), "use at most 128, or set fanoutConfig.consumerName")
	}
}

// regions looks for regions that do not exist, or that are not the stream's. With other
// endpoints only the regions in ARNs matter: KCL compares them.
func (c *checker) regions() {
	here := cmp.Or(c.value("regionName"), c.value("kinesisClient.region"))
	fromEnvironment := os.Getenv("AWS_REGION")
	if len(c.endpoints()) == 0 {
		for _, name := range []string{"regionName", "kinesisClient.region", "dynamoDbClient.region", "cloudWatchClient.region"} {
			if value, ok := c.Get(name); ok && (c.has(name) || name != "regionName") {
				c.region(name, value, "")
			}
		}
		if here == "" && fromEnvironment != "" {
			c.region("regionName", fromEnvironment, "AWS_REGION, ")
		}
	}
	here = cmp.Or(here, fromEnvironment)
	arn := func(name string, form *regexp.Regexp, value, what string) {
		m := form.FindStringSubmatch(value)
		if m != nil && here != "" && m[1] != here {
			c.error(name, fmt.Sprintf("%s is in %s, but the region is %s, where AWS finds no such stream", what, m[1], here), "set regionName to "+m[1])
		}
	}
	arn("streamArn", streamARN(), c.value("streamArn"), "it")
	arn("fanoutConfig.consumerArn", consumerARN(), c.value("fanoutConfig.consumerArn"), "it")
	for _, s := range c.several() {
		arn(streamsProperty, streamARN(), s.Stream, s.Stream)
		if !s.byARN() { // else the two are in one region
			arn(streamsProperty, consumerARN(), s.ConsumerARN, s.Stream+": consumerArn")
		}
	}
}

func (c *checker) region(name, value, prefix string) {
	if _, known := slices.BinarySearch(c.keys.regions, value); known {
		return
	}
	suggestion := "a region is like us-east-1"
	if meant := c.keys.meantRegion(value); meant != "" {
		suggestion = "did you mean " + meant + "?"
	}
	text := prefix + strconv.Quote(value) + ", is not a region"
	if prefix == "" {
		text = strconv.Quote(value) + " is not a region"
	}
	if regionForm().MatchString(value) {
		c.warn(name, text+" that this daemon's AWS SDK knows", suggestion)
	} else {
		c.error(name, withSpace(value, text), suggestion)
	}
}

// meantRegion returns the region that a text is most like, or "".
func (k *knownKeys) meantRegion(value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	if zone := strings.TrimRight(value, "abcdef"); slices.Contains(k.regions, zone) {
		return zone // the value is an availability zone
	}
	return nearest(value, slices.Values(k.regions))
}

// oneStream looks for two streams of which one is silently used.
func (c *checker) oneStream() {
	s := Stream{Stream: c.value("streamName")}
	if m := streamARN().FindStringSubmatch(c.value("streamArn")); m != nil {
		if c.has("streamName") && m[2] != s.Stream {
			c.warn("streamName", fmt.Sprintf("streamArn names another stream, %s, which is read", m[2]), "remove one")
		}
		s.Stream = m[0]
	}
	const property = "fanoutConfig.consumerArn"
	arn := c.value(property)
	if s.ofConsumer(arn) == "" {
		return // limits finds it
	}
	several := c.several()
	switch {
	case len(several) > 1:
		c.error(property, "it is a consumer of one stream, and there are several", "set consumerArn for each stream in streams")
		return
	case len(several) == 1 && several[0].ConsumerARN != "":
		c.error(property, "streams has a consumerArn too", "remove one")
		return
	case len(several) == 1:
		s = several[0]
	}
	if of := s.ofConsumer(arn); of != s.Stream {
		c.error(property, fmt.Sprintf("it is a consumer of stream %s, not of %s", of, s.Stream), "name a consumer of the stream that is read")
	}
}

// nested looks for properties that the builders of clients and providers refuse.
func (c *checker) nested() {
	for _, name := range c.inOrder {
		group := c.keys.group(name)
		if group == "" {
			continue
		}
		class := c.value(group + ".class")
		short := strings.TrimPrefix(name, group+".")
		isProvider := strings.HasSuffix(group, "CredentialsProvider")
		if isProvider && !strings.Contains(class, ".") {
			class = "software.amazon.awssdk.auth.credentials." + class
		}
		takes, known := c.keys.builders[class]
		switch {
		case short == "class":
		case !c.has(group + ".class"):
			if !isProvider { // else providers finds it
				c.error(name, "the daemon refuses it without "+group+".class", "remove it")
			}
		case isProvider && known && !slices.Contains(takes, strings.SplitN(short, ".", 2)[0]):
			suggestion := "remove it"
			if meant := nearest(short, slices.Values(takes)); meant != "" {
				suggestion = "did you mean " + group + "." + meant + "?"
			}
			c.error(name, "the daemon's "+class+" has no such property", suggestion)
		}
	}
}
