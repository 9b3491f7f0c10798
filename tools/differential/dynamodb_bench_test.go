//go:build unix

package differential

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
)

// portEnv makes the test binary run a dynamolocal at this port.
const portEnv = "DIFFERENTIAL_TEST_PORT"

func TestMain(m *testing.M) {
	if port := os.Getenv(portEnv); port != "" {
		if _, err := dynamolocal.Start(&dynamolocal.Options{Addr: net.JoinHostPort("127.0.0.1", port)}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {}
	}
	os.Exit(testenv.Main(m.Run))
}

// Each server is a separate process. The benchmark measures the time to its first answer,
// and then conditional updates by one client, as KCL renews a lease.
func BenchmarkDynamoDB(b *testing.B) {
	for _, server := range []struct {
		name  string
		start func(testing.TB) *emulator
	}{{"dynamolocal", dynamolocalProcess}, {"dynoxide", dynoxide}, {"moto", moto}} {
		b.Run(server.name, func(b *testing.B) {
			theirs := server.start(b)
			client := dynamodb.New(dynamodb.Options{
				BaseEndpoint: &theirs.url, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			})
			keys, attributes := hash("leaseKey", "S")
			table, key := aws.String("leases"), item{"leaseKey": str("shardId-000000000000")}
			if _, err := client.ListTables(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
			started := time.Since(theirs.started)
			_, err := client.CreateTable(b.Context(), &dynamodb.CreateTableInput{TableName: table, KeySchema: keys, AttributeDefinitions: attributes, BillingMode: "PAY_PER_REQUEST"})
			if err == nil {
				err = dynamodb.NewTableExistsWaiter(client).Wait(b.Context(), &dynamodb.DescribeTableInput{TableName: table}, time.Minute)
			}
			if err == nil {
				_, err = client.PutItem(b.Context(), &dynamodb.PutItemInput{TableName: table, Item: item{"leaseKey": key["leaseKey"], "leaseOwner": str("worker"), "leaseCounter": num("0")}})
			}
			if err != nil {
				b.Fatal(err)
			}
			counter := 0
			for b.Loop() {
				// The counter is no condition: the client retries when moto has closed the
				// connection after the update.
				_, err := client.UpdateItem(b.Context(), &dynamodb.UpdateItemInput{
					TableName: table, Key: key,
					Expected:         map[string]ddb.ExpectedAttributeValue{"leaseOwner": {Value: str("worker")}},
					AttributeUpdates: map[string]ddb.AttributeValueUpdate{"leaseCounter": {Action: "PUT", Value: num(strconv.Itoa(counter + 1))}},
				})
				if err != nil {
					b.Fatal(err)
				}
				counter++
			}
			b.ReportMetric(float64(counter)/b.Elapsed().Seconds(), "updates/s")
			b.ReportMetric(float64(started.Milliseconds()), "start-ms")
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", theirs.pid)); err == nil { // on Linux
				kB, _ := strconv.Atoi(string(residentMemory.FindSubmatch(status)[1]))
				b.ReportMetric(float64(kB)/1000, "rss-MB")
			}
		})
	}
}

var residentMemory = regexp.MustCompile(`VmRSS:\s*(\d+) kB`)

func dynamolocalProcess(t testing.TB) *emulator {
	t.Helper()
	return start(t, time.Second, func(port string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), portEnv+"="+port)
		return cmd
	})
}
