package dynamolocal

// TB is what New needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	// Helper is that of testing.TB.
	Helper()
	// Cleanup is that of testing.TB.
	Cleanup(func())
	// Fatal is that of testing.TB.
	Fatal(args ...any)
	// Error is that of testing.TB.
	Error(args ...any)
}

// New starts a server that lives as long as a test. The functions change its
// Config, whose zero value is right for most tests. The test fails when the
// server does not start.
func New(t TB, config ...func(*Config)) *Server {
	t.Helper()
	var c Config
	for _, f := range config {
		f(&c)
	}
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
