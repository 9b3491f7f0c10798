package bootstrap

// enoughFiles returns nil: Windows has no such limit.
func enoughFiles(int) error { return nil }
