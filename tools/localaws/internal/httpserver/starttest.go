package httpserver

import (
	"io"
	"testing"
)

// StartTest starts a server and closes it when the test ends. The test fails
// when the server cannot be started or closed.
func StartTest[Options any, Server io.Closer](t testing.TB, start func(*Options) (Server, error), opts *Options) Server {
	t.Helper()
	server, err := start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}
