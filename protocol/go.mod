module github.com/seed96110120/kinesis-client-go/protocol

go 1.25.0
