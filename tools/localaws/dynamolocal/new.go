package dynamolocal

import "github.com/seed96110120/kinesis-client-go/tools/localaws/internal/front"

// TB is what New needs of a *testing.T, *testing.B or *testing.F.
type TB = front.TB

// New starts a server that lives as long as a test. The functions change its
// Config, whose zero value is right for most tests. The test fails when the
// server does not start.
func New(t TB, config ...func(*Config)) *Server {
	t.Helper()
	return front.New(t, Start, config)
}
