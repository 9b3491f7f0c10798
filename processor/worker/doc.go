// Package worker serves all shards of a host in one process, by the real KCL.
package worker

import (
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
)
