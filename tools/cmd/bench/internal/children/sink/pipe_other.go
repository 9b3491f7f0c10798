//go:build !linux

package main

func enlarge() {}
