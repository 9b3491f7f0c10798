module github.com/seed96110120/kinesis-client-go/processor

go 1.25.0

require github.com/seed96110120/kinesis-client-go/protocol v0.1.0
