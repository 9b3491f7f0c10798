module github.com/seed96110120/kinesis-client-go/processor/worker

go 1.25.0

require (
	github.com/prometheus/client_golang v1.24.1
	github.com/seed96110120/kinesis-client-go/bootstrap v0.1.0
	github.com/seed96110120/kinesis-client-go/processor v0.1.0
	github.com/seed96110120/kinesis-client-go/protocol v0.1.0
)

require (
	github.com/KimMachineGun/automemlimit v0.7.5 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/pbnjay/memory v0.0.0-20210728143218-7b4eea64cf58 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	github.com/prometheus/common v0.70.1 // indirect
	github.com/prometheus/procfs v0.21.1 // indirect
	golang.org/x/sys v0.47.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
