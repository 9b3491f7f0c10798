module github.com/seed96110120/kinesis-client-go/bootstrap

go 1.25.0

require (
	github.com/gofrs/flock v0.13.1
	github.com/spf13/pflag v1.1.0
	golang.org/x/sys v0.47.0
)
