// Package tools has no code. Its module has the commands and tests for developing this
// project: the demo and the local services (cmd/demo, cmd/kcl-local), the checks of the
// modules (cmd/modules), and the end-to-end tests with the real KCL (e2e). See the README.
//
// tools/localaws, a local AWS for tests, is a separate module.
package tools
