// Package tools has no code of its own. Its module holds what this project is
// developed, tried and tested with: the demo and the local stack (cmd/demo,
// cmd/kcl-local), the checks of the modules (cmd/modules), the end-to-end tests
// with the real KCL (e2e). See the README.
//
// The module tools/localaws, AWS for tests, is another one.
package tools
