package processor

import "time"

// SetHandlerGrace is for children of the tests that are not to take 3 s to end.
func SetHandlerGrace(d time.Duration) { handlerGrace = d }
