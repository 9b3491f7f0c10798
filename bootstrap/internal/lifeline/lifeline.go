// Package lifeline ends the processes of a test with the test binary, however
// that ends.
package lifeline
