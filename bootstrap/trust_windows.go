package bootstrap

import "io/fs"

// trusted returns nil: what a user makes below the profile, where the cache is by
// default, others cannot write to on Windows, and of a folder that is named elsewhere
// its maker has decided.
func trusted(string, fs.FileInfo, bool) error { return nil }
