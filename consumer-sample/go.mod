module github.com/seed96110120/kinesis-client-go/consumer-sample

go 1.25.0

require (
	github.com/seed96110120/kinesis-client-go/processor v0.1.0
	github.com/seed96110120/kinesis-client-go/protocol v0.1.0
	github.com/sirupsen/logrus v1.10.2
)

require golang.org/x/sys v0.47.0 // indirect
