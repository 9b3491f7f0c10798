//go:build !unix

package shardfile

import "os"

// lock does nothing: two processes must be kept apart otherwise.
func lock(*os.File) error { return nil }

// syncFolder does nothing: folders cannot be synced here.
func syncFolder(string) error { return nil }
