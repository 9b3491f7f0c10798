package main

import "strings"

// quote returns a command as one line for a shell: a POSIX shell, or on Windows cmd.exe
// (which takes no line of more than 8191 characters).
func quote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quoteArg(arg)
	}
	return strings.Join(quoted, " ")
}
