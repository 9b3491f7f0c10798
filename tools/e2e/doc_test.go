// Package e2e tests the project end to end: the commands as a user runs them,
// Amazon's real KCL and localaws.
//
// The tests build the commands from the workspace that they stand in. They are
// skipped where a module is tested alone (GOWORK=off). Java is fetched where there is
// none; with CI=true it is a failure that this cannot be. DAEMON_JAVA names the
// Java that runs the daemon, where it shall be another than the tests' own.
package e2e
