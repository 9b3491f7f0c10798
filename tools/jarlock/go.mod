module github.com/seed96110120/kinesis-client-go/tools/jarlock

go 1.25.0

require (
	deps.dev/util/maven v0.0.0-20260727054525-2946ae4a6141
	deps.dev/util/resolve v0.0.0-20260727054525-2946ae4a6141
	github.com/seed96110120/kinesis-client-go/bootstrap v0.1.0
	golang.org/x/net v0.55.0
	golang.org/x/sync v0.20.0
)

require (
	deps.dev/api/v3 v3.0.0-20260225062937-bb3cf65ba738 // indirect
	deps.dev/util/semver v0.0.0-20241230231135-52b7655a522f // indirect
	github.com/KimMachineGun/automemlimit v0.7.5 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	github.com/pbnjay/memory v0.0.0-20210728143218-7b4eea64cf58 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.37.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20260226221140-a57be14db171 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260226221140-a57be14db171 // indirect
	google.golang.org/grpc v1.81.1 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/seed96110120/kinesis-client-go/bootstrap => ../../bootstrap
