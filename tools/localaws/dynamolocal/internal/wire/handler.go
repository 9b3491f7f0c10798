// Package wire implements the protocol of DynamoDB over HTTP: it finds the operation
// of a request, parses its expressions, calls package core, and writes the
// response. Signatures are not verified.
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
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

const (
	targetPrefix = "DynamoDB_20120810."
	contentType  = "application/x-amz-json-1.0"

	// maxBody is the largest size of a request in bytes, as on AWS.
	maxBody = 16 << 20
)

// Handler serves the operations of a core.Service.
type Handler struct {
	service *core.Service
	faults  *httpserver.Faults
	logger  *slog.Logger
}

// NewFaults returns the faults of the service, without rules.
func NewFaults() *httpserver.Faults {
	return httpserver.NewFaults(slices.Collect(maps.Keys(operations)),
		fault.Latency, fault.Throttle, fault.InternalError, fault.Disconnect, fault.DropResponse, fault.FailCondition, fault.StayCreating)
}

// NewHandler returns a Handler. It logs requests, without their data, at Debug and
// its own faults at Error.
func NewHandler(service *core.Service, faults *httpserver.Faults, logger *slog.Logger) *Handler {
	return &Handler{service, faults, logger}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, id := time.Now(), httpserver.RequestID()
	w.Header().Set("x-amzn-RequestId", id)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This is a local DynamoDB: use this URL as the endpoint of an AWS client.", http.StatusMethodNotAllowed)
		return
	}
	name, isTarget := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	op, isOp := operations[name]
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	c := call{service: h.service, faultCall: httpserver.Call{Operation: name}}
	c.faultCall.AccessKey, c.region = httpserver.Signer(r)
	var out any
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = failure("RequestEntityTooLarge", fmt.Sprintf("the body is larger than %d bytes", maxBody))
	case err != nil:
		err = failure(serializationException, "the body could not be read to its end")
	case !isTarget || !isOp:
		err = failure(unknownOperation, fmt.Sprintf("dynamolocal does not have the operation %q.", httpserver.Truncate(r.Header.Get("X-Amz-Target"))))
	case media != contentType && media != "application/json":
		err = failure(unknownOperation, "The Content-Type is not "+contentType+".")
	default:
		c.faultCall.Tables = tablesOf(body)
		if _, hit := h.faults.Apply(fault.Disconnect, c.faultCall); hit {
			h.logger.Debug("connection cut: injected fault", "operation", name, "requestId", id)
			httpserver.CloseConnection(r.Context())
		}
		out, err = h.call(r, &c, op, body)
	}
	if isOp {
		if _, hit := h.faults.Apply(fault.DropResponse, c.faultCall); hit {
			h.logger.Debug("connection cut: injected fault", "operation", name, "requestId", id)
			httpserver.CloseConnection(r.Context())
		}
	}
	code := h.respond(w, out, err)
	attrs := []slog.Attr{
		slog.String("operation", name), slog.Int("status", code), slog.Duration("took", time.Since(start)),
		slog.String("protocol", r.Proto), slog.String("requestId", id),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", string(core.AsError(err).Code)))
	}
	h.logger.LogAttrs(r.Context(), slog.LevelDebug, "request", attrs...)
}

// call runs an operation, unless an injected fault hits it. A panic becomes an
// InternalServerError.
func (h *Handler) call(r *http.Request, c *call, op operation, body []byte) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.logger.ErrorContext(r.Context(), "operation panicked", "panic", p)
			out, err = nil, failure(internalServerError, "dynamolocal panicked, which is a bug.")
		}
	}()
	h.faults.Wait(r.Context(), c.faultCall)
	if _, hit := h.faults.Apply(fault.Throttle, c.faultCall); hit {
		if strings.HasSuffix(c.faultCall.Operation, "Item") || strings.HasSuffix(c.faultCall.Operation, "Items") || c.faultCall.Operation == "Query" || c.faultCall.Operation == "Scan" {
			return nil, failure(throughputExceeded, "The level of configured provisioned throughput for the table was exceeded: injected fault.")
		}
		return nil, failure(throttling, "Rate exceeded: injected fault.")
	}
	if _, hit := h.faults.Apply(fault.InternalError, c.faultCall); hit {
		return nil, failure(internalServerError, "Internal server error: injected fault.")
	}
	c.failCondition = func() bool {
		_, hit := h.faults.Apply(fault.FailCondition, c.faultCall)
		return hit
	}
	return op(c, body)
}

// tablesOf returns the tables that a request of any operation names.
func tablesOf(body []byte) []string {
	type named struct{ TableName string }
	var request struct {
		TableName     string
		ResourceArn   string
		RequestItems  map[string]json.RawMessage
		TransactItems []map[string]named
	}
	_ = json.Unmarshal(body, &request) // the operation reports errors
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

// respond writes the response and returns its HTTP status.
func (h *Handler) respond(w http.ResponseWriter, out any, err error) int {
	code := http.StatusOK
	if err != nil {
		e := core.AsError(err)
		code, out = status(e), bodyOf(e)
	}
	body, err := json.Marshal(out)
	if err != nil {
		h.logger.Error("response not encoded", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Header().Set("x-amz-crc32", fmt.Sprint(crc32.ChecksumIEEE(body)))
	w.WriteHeader(code)
	if _, err := w.Write(body); err != nil {
		h.logger.Debug("response not written: the client has disconnected", "error", err)
	}
	return code
}
