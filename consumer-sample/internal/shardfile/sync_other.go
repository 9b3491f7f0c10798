//go:build !unix

package shardfile

// syncFolder does nothing: folders cannot be synced here.
func syncFolder(string) error { return nil }
