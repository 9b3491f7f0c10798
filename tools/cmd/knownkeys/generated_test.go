package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// forms are the values that are tried, by the property's type.
var forms = map[string][]string{
	"number":    {"77", " 77 ", `\u000177`, `77\u00a0`, "+77", "077", "0", "-1", "", "many", "7.7", "1e3", "0x10", "1_000", "3000000000", "9223372036854775808"},
	"double":    {"0.77", "77", ".5", "1.5e3", "0", "-1", "", "many", "0,5", "NaN", "Infinity", "0.77 ", "77f"},
	"boolean":   {"TRUE", "yes", "1", "false", "off", "0", "t", "", "maybe", "true ", `\u0001true`},
	"enum":      {"", "none of these", "LOWER", "FIRST", "FIRST "},
	"duration":  {"PT77M", "pt77m", "PT-5M", "P", "PT", "77", "5 minutes", "", "PT77M ", "P1Y"},
	"seconds":   {"1700000000", "0", "-1", "1700000000.5", "", "yesterday", "1700000000 ", "1700000000000", "4102444800", "99999999999999999999", "2023-11-14T22:13:20Z"},
	"tags":      {"a=b", "a=b,c=d", " a = b ,", "a", "a=", "=b", "a=b=c", "aws:a=b", ""},
	"strings":   {"a", "a,b", ",a", ""},
	"providers": {"DefaultCredentialsProvider", "", ",", "nonsense"},
	"object":    {"x"},
	"string":    {"name", "eu-west-3", "EU-WEST-3", "http://127.0.0.1:1", "x", "", "name ", "a/b"},
	"any":       {"x"},
}

// decisions are the cases in which Properties.Check differs from the classes or knows more.
// The first match applies.
var decisions = []struct{ property, value, check, why string }{
	{`^maxActiveThreads$`, `^(0|-1)$`, "", "means no limit"},
	{``, `^(-1|NaN|Infinity)$`, "error", "no count, time or share is so"},
	{`^maxGetRecordsThreadPool$|^pollingConfig.maxGet|^timeoutInSeconds$`, `^0$`, "error", "KCL fails of it when it is at work"},
	{`^failoverTimeMillis$`, `77 ?$`, "error", "KCL fails of it when it is at work"},
	{`^initialPositionInStreamExtended$`, `^(1700000000000|4102444800)$`, "error", "AWS refuses a time in the future"},
	{`ags$`, `^(=b|aws:a=b)$`, "error", "DynamoDB refuses such a tag"},
	{`^shutdownGraceMillis$`, `77 ?$|^0$`, "warning", "too short to stop in order"},
	{`^kinesisCredentialsProvider\.class$`, ``, "error", "it and AwsCredentialsProvider are both set"},
	{`\.class$`, ``, "", "it may be on a class path of one's own"},
	{`^(coordinatorState|workerMetric).*Capacity$|^(pollingConfig\.)?millisBehindLatest`, `^0$`, "", "0 is the default"},
	{`^(tableName|streamArn)$`, `^$`, "", "as if it were not set"},
	{`^executableName$`, ``, "error", "the classes do not look for the file"},
	{`^processingLanguage$`, ` $`, "warning", "the space is part of it"},
	{`^processingLanguage$`, ``, "", "any text is told to AWS"},
	{`^regionName$`, `^eu-west-3$`, "", ""},
	{`Client\.region$`, `^eu-west-3$`, "warning", "regionName is set too, and one of them silently holds"},
	{`egion`, ``, "error", "it is not a region"},
	{`^workerIdentifier$`, `.`, "warning", "workerId is set too, and one of them silently holds"},
	{`^(applicationName|tableName|.*TableName)$`, `^(http.*|x||name |a/b)$`, "error", "DynamoDB has no table of that name"},
	{`^(streamName|.*\.consumerName)$`, `^(http.*||name |a/b)$`, "error", "Kinesis has no stream or consumer of that name"},
	{`^fanoutConfig.consumerArn$`, ``, "error", "it is not an ARN"},
	{`^(workerId|workerIdentifier)$`, `^$`, "error", "DynamoDB has no empty key"},
	{`\.(appId|defaultProfileName)$`, ` $`, "warning", "the space is part of it"},
}

// generated returns a trial of each property with each form of its type.
func generated(t *testing.T) (all []trial, properties int) {
	t.Helper()
	for line := range strings.Lines(keysText(t)) {
		words := strings.Fields(line)
		if strings.HasPrefix(words[0], "#") || strings.HasPrefix(words[0], "provider:") || words[0] == "regions" {
			continue
		}
		properties++
		name := strings.Replace(words[0], ".*", ".nothing", 1)
		typ, values, _ := strings.Cut(words[1], ":")
		switch typ {
		case "int", "long", "parsed-int":
			typ = "number"
		}
		before := "shutdownGraceMillis = 20000\nretrievalMode = FANOUT\n"
		if strings.Contains(line, "only=POLLING") {
			before = strings.Replace(before, "FANOUT", "POLLING", 1)
		}
		if name != "awsCredentialsProvider" {
			before += "AwsCredentialsProvider = AnonymousCredentialsProvider\n"
		}
		for _, value := range forms[typ] {
			first, _, _ := strings.Cut(values, ",")
			value = strings.Replace(value, "FIRST", first, 1)
			value = strings.Replace(value, "LOWER", strings.ToLower(first), 1)
			all = append(all, trial{
				before: before, name: name, value: value, typ: typ, ignored: strings.Contains(line, " ignored"),
			})
		}
	}
	return all, properties
}

// A trial is a property with a value, in a file with other properties before it.
type trial struct {
	before, name, value string
	typ                 string // of the property
	ignored             bool   // the keys say that the daemon ignores it
}

// try runs tryProgram for all trials, in one Java, and returns its results and the files.
func try(t *testing.T, all []trial) (daemon, files []string) {
	t.Helper()
	var stdin strings.Builder
	dir := t.TempDir()
	for i, tr := range all {
		file := filepath.Join(dir, fmt.Sprint(i, ".properties"))
		tr.write(t, file)
		files = append(files, file)
		fmt.Fprintf(&stdin, "%s\n%s\n", file, tr.name)
	}
	out, err := java(t.Context(), tryProgram(t), stdin.String())
	if err != nil {
		t.Fatal(err)
	}
	daemon = strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(daemon) != len(all) {
		t.Fatalf("%d results for %d files", len(daemon), len(all))
	}
	return daemon, files
}

// write writes the file, which has the property once.
func (tr trial) write(t *testing.T, file string) {
	t.Helper()
	text := ""
	for line := range strings.Lines("executableName = true\napplicationName = application\nstreamName = stream\nregionName = us-east-1\nworkerId = worker\n" + tr.before) {
		if name, _, _ := strings.Cut(line, " ="); name != tr.name {
			text += line
		}
	}
	if err := os.WriteFile(file, []byte(text+tr.name+" = "+tr.value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// decided returns what Properties.Check must find, given the classes' result.
func (tr trial) decided(daemon string) string {
	for _, d := range decisions {
		if regexp.MustCompile(d.property).MatchString(tr.name) && regexp.MustCompile(d.value).MatchString(tr.value) {
			return d.check
		}
	}
	switch {
	case daemon == "refused" || !tr.holds(daemon):
		return "error"
	case tr.ignored, tr.value == "0" && tr.typ != "boolean" && strings.HasSuffix(daemon, ", ignored"):
		return "warning"
	}
	return ""
}

// holds reports whether the classes hold the value of the file.
func (tr trial) holds(daemon string) bool {
	held := strings.TrimSuffix(strings.TrimPrefix(daemon, "is "), ", ignored")
	value := strings.TrimSpace(strings.Replace(tr.value, `\u0001`, "", 1))
	switch tr.typ {
	case "number":
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == held
	case "double":
		n, err := strconv.ParseFloat(strings.TrimSuffix(value, "f"), 64)
		got, err2 := strconv.ParseFloat(held, 64)
		return err == nil && err2 == nil && n == got
	case "boolean":
		words := map[string]string{"true": "true", "yes": "true", "1": "true", "false": "false", "off": "false", "0": "false"}
		return words[strings.ToLower(tr.value)] == held
	case "enum":
		return strings.EqualFold(tr.value, held)
	case "tags":
		return tr.value == "" || strings.Contains(held, "Tag(")
	}
	return true
}
