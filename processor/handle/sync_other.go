//go:build !unix

package handle

// syncDir does nothing: folders cannot be synced here.
func syncDir(string) error { return nil }
