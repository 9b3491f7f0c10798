package main

import "syscall"

func quoteArg(arg string) string { return syscall.EscapeArg(arg) }
