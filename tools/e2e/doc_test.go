// Package e2e tests the project end to end: the commands as a user runs them, with Amazon's
// real KCL and localaws.
//
// The tests build the commands from their workspace, and are skipped if the module is tested
// alone (GOWORK=off). They fetch Java if none is installed; if that is impossible they are
// skipped, or fail with CI=true. DAEMON_JAVA sets another Java for the daemon.
package e2e
