package kinesislocal

// TB is what New needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	// Helper and the following are those of testing.TB.
	Helper()
	Cleanup(func())
	Fatal(args ...any)
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
