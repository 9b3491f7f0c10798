// Package lifeline kills the processes that a test binary has started when the binary
// ends, however it ends.
//
//	func TestMain(m *testing.M) {
//		lifeline.Tie()
//		os.Exit(m.Run())
//	}
package lifeline
