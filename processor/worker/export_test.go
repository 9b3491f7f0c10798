package worker

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
)

// MonitorHandler and MonitorRun are those of package monitor: see monitor_test.go.
var (
	MonitorHandler func(*Worker) http.Handler
	MonitorRun     func(ctx context.Context, w *Worker, addr string) error
)

// get returns the status and the body of an answer of the worker's monitor.
func get(w *Worker, path string) (int, string) { return getFrom(MonitorHandler(w), path) }

func getFrom(h http.Handler, path string) (int, string) {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
	return recorder.Code, recorder.Body.String()
}

var labelValue = regexp.MustCompile(`="([^"]*)"`)

// series lists the values of the labels of a metric, a series in each string.
func series(w *Worker, name string) (all []string) {
	_, body := get(w, "/metrics")
	for line := range strings.Lines(body) {
		if labels, ok := strings.CutPrefix(line, name); ok && (labels[0] == '{' || labels[0] == ' ') {
			var values []string
			for _, m := range labelValue.FindAllStringSubmatch(labels, -1) {
				values = append(values, m[1])
			}
			all = append(all, strings.Join(values, " "))
		}
	}
	return all
}
