// Package wire implements the protocol of Kinesis over HTTP: it finds the operation
// and the encoding of a request, calls package core, and writes the response.
// Signatures are not verified.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

const (
	targetPrefix = "Kinesis_20131202."

	// maxBody, in bytes, has room for the largest PutRecords: 10 MiB of data in
	// base64, with 500 partition keys and hash keys.
	maxBody = 32 << 20
)

// Handler serves the operations of a core.Service.
type Handler struct {
	service *core.Service
	account string // of clients whose access key is not the ID of an account
	faults  *httpserver.Faults
	logger  *slog.Logger
}

// NewFaults returns the faults of the service, without rules.
func NewFaults() *httpserver.Faults {
	return httpserver.NewFaults(slices.Collect(maps.Keys(operations)),
		fault.Latency, fault.Throttle, fault.InternalError, fault.Disconnect, fault.DropResponse, fault.PartialPut, fault.ExpireIterator, fault.Deny, fault.DisableKey)
}

// NewHandler returns a Handler. It logs requests, without their data, at Debug and
// its own faults at Error. A client whose access key is the ID of an account, 12
// digits, belongs to that account; all other clients belong to account.
func NewHandler(service *core.Service, account string, faults *httpserver.Faults, logger *slog.Logger) *Handler {
	return &Handler{service, account, faults, logger}
}

var accountPattern = regexp.MustCompile(`^\d{12}$`)

// IsAccount reports whether id is the ID of an account.
func IsAccount(id string) bool { return accountPattern.MatchString(id) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, id := time.Now(), httpserver.RequestID()
	w.Header().Set("x-amzn-RequestId", id)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This is a local Kinesis Data Streams: use this URL as the endpoint of an AWS client.", http.StatusMethodNotAllowed)
		return
	}
	name, isTarget := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	c, isCodec := codecFor(r.Header.Get("Content-Type"))
	if !isCodec {
		c = jsonCodec{"application/x-amz-json-1.1"} // for the error
	}
	op, isOp := operations[name]
	accessKey, region := httpserver.Signer(r)
	faultCall := httpserver.Call{Operation: name, AccessKey: accessKey}
	account := h.account
	if IsAccount(accessKey) {
		account = accessKey
	}
	asked := &call{account: h.service.AccountOf(account, name), region: region, refuseRecord: func() bool {
		_, hit := h.faults.Apply(fault.PartialPut, faultCall)
		return hit
	}}
	var (
		out any
		err error
	)
	switch {
	case !isTarget || !isOp:
		err = &failure{unknownOperation, fmt.Sprintf("kinesislocal does not have the operation %q.", httpserver.Truncate(r.Header.Get("X-Amz-Target")))}
	case !isCodec:
		err = &failure{unknownOperation, "The Content-Type is neither application/x-amz-json-1.1 nor application/x-amz-cbor-1.1."}
	default:
		if _, hit := h.faults.Apply(fault.Disconnect, faultCall); hit {
			httpserver.CloseConnection(r.Context())
		}
		out, err = h.call(w, r, faultCall, asked, op, c)
	}
	cut := func() bool {
		_, hit := h.faults.Apply(fault.DropResponse, faultCall)
		if hit {
			h.logger.LogAttrs(r.Context(), slog.LevelDebug, "connection cut: injected fault",
				slog.String("operation", name), slog.String("requestId", id))
		}
		return hit
	}
	status := http.StatusOK
	if stream, ok := out.(*events); ok {
		err = stream.send(r.Context(), w, cut)
	} else {
		if isOp && cut() {
			httpserver.CloseConnection(r.Context())
		}
		status = h.respond(w, c, out, err)
	}
	attrs := []slog.Attr{
		slog.String("operation", name), slog.Int("status", status), slog.Duration("took", time.Since(start)),
		slog.String("protocol", r.Proto), slog.String("requestId", id), slog.String("account", account),
	}
	if asked.resource != "" {
		attrs = append(attrs, slog.String("resource", asked.resource))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	h.logger.LogAttrs(r.Context(), slog.LevelDebug, "request", attrs...)
}

// call runs an operation, unless an injected fault hits it. A panic becomes an
// InternalFailure.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, faultCall httpserver.Call, asked *call, op operation, c codec) (out any, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, &failure{serializationException, fmt.Sprintf("the body is larger than %d bytes", maxBody)}
		}
		return nil, &failure{serializationException, "the body could not be read to its end"}
	}
	defer func() {
		if p := recover(); p != nil {
			h.logger.ErrorContext(r.Context(), "operation panicked", "panic", p)
			out, err = nil, &failure{internalFailure, "kinesislocal panicked, which is a bug."}
		}
	}()
	if err := h.inject(r.Context(), faultCall); err != nil {
		return nil, err
	}
	return op(asked, func(in any) error {
		if err := c.decode(body, in); err != nil {
			return &failure{serializationException, err.Error()}
		}
		return nil
	})
}

// inject applies the faults that hit a call before its operation runs.
func (h *Handler) inject(ctx context.Context, faultCall httpserver.Call) error {
	h.faults.Wait(ctx, faultCall)
	if _, hit := h.faults.Apply(fault.Throttle, faultCall); hit {
		code := core.LimitExceeded
		switch faultCall.Operation {
		case "GetRecords", "GetShardIterator", "PutRecord", "PutRecords":
			code = core.ThroughputExceeded
		}
		return &failure{string(code), "Rate exceeded: injected fault."}
	}
	if _, hit := h.faults.Apply(fault.InternalError, faultCall); hit {
		return &failure{internalFailure, "Internal service failure: injected fault."}
	}
	if _, hit := h.faults.Apply(fault.Deny, faultCall); hit {
		return &failure{string(core.AccessDenied), "User: nobody is not authorized to perform: kinesis:" + faultCall.Operation + ": injected fault."}
	}
	if _, hit := h.faults.Apply(fault.DisableKey, faultCall); hit {
		return &failure{"KMSDisabledException", "The key is disabled: injected fault."}
	}
	if faultCall.Operation == "GetRecords" {
		if _, hit := h.faults.Apply(fault.ExpireIterator, faultCall); hit {
			return &failure{string(core.ExpiredIterator), "Iterator expired: injected fault."}
		}
	}
	return nil
}

// respond writes the response and returns its HTTP status.
func (h *Handler) respond(w http.ResponseWriter, c codec, out any, err error) int {
	status := http.StatusOK
	if err != nil {
		f := asFailure(err)
		status = f.status()
		w.Header().Set("x-amzn-ErrorType", f.code)
		out = errorBody{f.code, f.message}
	}
	var body []byte
	if _, isEmpty := out.(*empty); !isEmpty {
		body, err = c.encode(out)
		if err != nil {
			h.logger.Error("response not encoded", "error", err)
			w.WriteHeader(http.StatusInternalServerError)
			return http.StatusInternalServerError
		}
	}
	w.Header().Set("Content-Type", c.contentType())
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil && !errors.Is(err, context.Canceled) {
		h.logger.Debug("response not written: the client has disconnected", "error", err)
	}
	return status
}
