package bootstrap

import "syscall"

func quote(arg string) string { return syscall.EscapeArg(arg) }
