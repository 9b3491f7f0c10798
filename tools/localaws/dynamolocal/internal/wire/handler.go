// Package wire speaks the protocol of DynamoDB over HTTP: it finds the
// operation of a request, reads its expressions, calls the core, and writes
// what comes back. Signatures are not verified.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/front"
)

const (
	targetPrefix = "DynamoDB_20120810."
	contentType  = "application/x-amz-json-1.0"

	// maxBody is what a request may have, as in the service.
	maxBody = 16 << 20
)

// Handler serves the operations of a core.Service.
type Handler struct {
	service *core.Service
	faults  *front.Faults
	log     *slog.Logger
}

// NewFaults returns the faults of the service, none at first.
func NewFaults() *front.Faults {
	return front.NewFaults(slices.Collect(maps.Keys(operations)),
		fault.Latency, fault.Throttle, fault.Error, fault.Cut, fault.Drop, fault.Condition, fault.Creating)
}

// NewHandler returns a Handler that logs requests, without their data, at
// Debug and faults of its own at Error.
func NewHandler(service *core.Service, faults *front.Faults, log *slog.Logger) *Handler {
	return &Handler{service, faults, log}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, id := time.Now(), front.RequestID()
	w.Header().Set("x-amzn-RequestId", id)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This is a local DynamoDB: give this address to an AWS client as its endpoint.", http.StatusMethodNotAllowed)
		return
	}
	name, isTarget := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	op, isOp := operations[name]
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	c := call{service: h.service, front: front.Call{Operation: name}}
	c.front.AccessKey, c.region = front.Signer(r)
	var out any
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = failure("RequestEntityTooLarge", fmt.Sprintf("the body is larger than %d bytes", maxBody))
	case err != nil:
		err = failure(serializationException, "the body could not be read to its end")
	case !isTarget || !isOp:
		err = failure(unknownOperation, fmt.Sprintf("dynamolocal does not have the operation %q.", front.Clip(r.Header.Get("X-Amz-Target"))))
	case media != contentType && media != "application/json":
		err = failure(unknownOperation, "The Content-Type is not "+contentType+".")
	default:
		c.front.Tables = tablesOf(body)
		if _, hit := h.faults.Hit(fault.Cut, c.front); hit {
			h.log.Debug("connection cut: a fault that was asked for", "operation", name, "requestId", id)
			front.Drop(r.Context())
		}
		out, err = h.call(r, &c, op, body)
	}
	if isOp {
		if _, hit := h.faults.Hit(fault.Drop, c.front); hit {
			h.log.Debug("connection dropped: a fault that was asked for", "operation", name, "requestId", id)
			front.Drop(r.Context())
		}
	}
	code := h.respond(w, out, err)
	attrs := []slog.Attr{
		slog.String("operation", name), slog.Int("status", code), slog.Duration("took", time.Since(start)),
		slog.String("protocol", r.Proto), slog.String("requestId", id),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", string(asError(err).Code)))
	}
	h.log.LogAttrs(r.Context(), slog.LevelDebug, "request", attrs...)
}

// call runs one operation, unless an injected fault hits it; a panic in it
// becomes an InternalServerError.
func (h *Handler) call(r *http.Request, c *call, op operation, body []byte) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(r.Context(), "operation panicked", "panic", p)
			out, err = nil, failure(internalServerError, "dynamolocal failed: this is a bug in it.")
		}
	}()
	h.faults.Wait(r.Context(), c.front)
	if _, hit := h.faults.Hit(fault.Throttle, c.front); hit {
		if strings.HasSuffix(c.front.Operation, "Item") || strings.HasSuffix(c.front.Operation, "Items") || c.front.Operation == "Query" || c.front.Operation == "Scan" {
			return nil, failure(throughputExceeded, "The level of configured provisioned throughput for the table was exceeded: a fault that was asked for.")
		}
		return nil, failure(throttling, "Rate exceeded: a fault that was asked for.")
	}
	if _, hit := h.faults.Hit(fault.Error, c.front); hit {
		return nil, failure(internalServerError, "Internal server error: a fault that was asked for.")
	}
	c.failCondition = func() bool {
		_, hit := h.faults.Hit(fault.Condition, c.front)
		return hit
	}
	return op(c, body)
}

// tablesOf returns the tables that a request names, whatever its operation.
func tablesOf(body []byte) []string {
	type named struct{ TableName string }
	var request struct {
		TableName     string
		ResourceArn   string
		RequestItems  map[string]json.RawMessage
		TransactItems []map[string]named
	}
	_ = json.Unmarshal(body, &request) // the operation says what is wrong
	var tables []string
	add := func(name string) {
		if name = core.TableOf(name); name != "" && !slices.Contains(tables, name) {
			tables = append(tables, name)
		}
	}
	add(request.TableName)
	add(request.ResourceArn)
	for name := range request.RequestItems {
		add(name)
	}
	for _, item := range request.TransactItems {
		for _, action := range item {
			add(action.TableName)
		}
	}
	return tables
}

// respond writes the outcome and returns its HTTP status.
func (h *Handler) respond(w http.ResponseWriter, out any, err error) int {
	code := http.StatusOK
	if err != nil {
		e := asError(err)
		code, out = status(e), bodyOf(e)
	}
	body, err := json.Marshal(out)
	if err != nil {
		h.log.Error("response not encoded", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Header().Set("x-amz-crc32", fmt.Sprint(crc32.ChecksumIEEE(body)))
	w.WriteHeader(code)
	if _, err := w.Write(body); err != nil {
		h.log.Debug("response not written: the client has gone", "error", err)
	}
	return code
}
