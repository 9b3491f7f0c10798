// Package wire speaks the protocol of Kinesis over HTTP: it finds the
// operation and the encoding of a request, calls the core, and writes what
// comes back. Signatures are not verified.
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
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/front"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

const (
	targetPrefix = "Kinesis_20131202."

	// maxBody has room for the largest PutRecords, 10 MiB of data, in base64
	// and with the 500 partition keys and hash keys.
	maxBody = 32 << 20
)

// Handler serves the operations of a core.Service.
type Handler struct {
	service *core.Service
	account string // of whose access key is not the ID of an account
	faults  *front.Faults
	log     *slog.Logger
}

// NewFaults returns the faults of the service, none at first.
func NewFaults() *front.Faults {
	return front.NewFaults(slices.Collect(maps.Keys(operations)),
		fault.Latency, fault.Throttle, fault.Error, fault.Cut, fault.Drop, fault.Partial, fault.Expire, fault.Deny, fault.DisableKey)
}

// NewHandler returns a Handler that logs requests, without their data, at
// Debug and faults of its own at Error. A client whose access key is the ID of
// an account, 12 digits, is of that account; all others are of the one given.
func NewHandler(service *core.Service, account string, faults *front.Faults, log *slog.Logger) *Handler {
	return &Handler{service, account, faults, log}
}

var accountPattern = regexp.MustCompile(`^\d{12}$`)

// IsAccount tells whether a text is the ID of an account.
func IsAccount(id string) bool { return accountPattern.MatchString(id) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, id := time.Now(), front.RequestID()
	w.Header().Set("x-amzn-RequestId", id)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This is a local Kinesis Data Streams: give this address to an AWS client as its endpoint.", http.StatusMethodNotAllowed)
		return
	}
	name, isTarget := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	c, isCodec := codecFor(r.Header.Get("Content-Type"))
	if !isCodec {
		c = jsonCodec{"application/x-amz-json-1.1"} // for the error
	}
	op, isOp := operations[name]
	accessKey, region := front.Signer(r)
	meant := front.Call{Operation: name, AccessKey: accessKey}
	account := h.account
	if IsAccount(accessKey) {
		account = accessKey
	}
	asked := &call{own: h.service.For(account, name), region: region, refuseRecord: func() bool {
		_, hit := h.faults.Hit(fault.Partial, meant)
		return hit
	}}
	var (
		out any
		err error
	)
	switch {
	case !isTarget || !isOp:
		err = &failure{unknownOperation, fmt.Sprintf("kinesislocal does not have the operation %q.", clip(r.Header.Get("X-Amz-Target")))}
	case !isCodec:
		err = &failure{unknownOperation, "The Content-Type is neither application/x-amz-json-1.1 nor application/x-amz-cbor-1.1."}
	default:
		if _, hit := h.faults.Hit(fault.Cut, meant); hit {
			front.Drop(r.Context())
		}
		out, err = h.call(w, r, meant, asked, op, c)
	}
	cut := func() bool {
		_, hit := h.faults.Hit(fault.Drop, meant)
		if hit {
			h.log.LogAttrs(r.Context(), slog.LevelDebug, "connection dropped: a fault that was asked for",
				slog.String("operation", name), slog.String("requestId", id))
		}
		return hit
	}
	status := http.StatusOK
	if stream, ok := out.(*events); ok {
		err = stream.send(r.Context(), w, cut)
	} else {
		if isOp && cut() {
			front.Drop(r.Context())
		}
		status = h.respond(w, c, out, err)
	}
	attrs := []slog.Attr{
		slog.String("operation", name), slog.Int("status", status), slog.Duration("took", time.Since(start)),
		slog.String("protocol", r.Proto), slog.String("requestId", id), slog.String("account", account),
	}
	if asked.named != "" {
		attrs = append(attrs, slog.String("resource", asked.named))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	h.log.LogAttrs(r.Context(), slog.LevelDebug, "request", attrs...)
}

// call runs one operation, unless an injected fault hits it; a panic in it becomes an InternalFailure.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, meant front.Call, asked *call, op operation, c codec) (out any, err error) {
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
			h.log.ErrorContext(r.Context(), "operation panicked", "panic", p)
			out, err = nil, &failure{internalFailure, "kinesislocal failed: this is a bug in it."}
		}
	}()
	if err := h.inject(r.Context(), meant); err != nil {
		return nil, err
	}
	return op(asked, func(in any) error {
		if err := c.decode(body, in); err != nil {
			return &failure{serializationException, err.Error()}
		}
		return nil
	})
}

// inject does what the rules want before an operation runs.
func (h *Handler) inject(ctx context.Context, meant front.Call) error {
	h.faults.Wait(ctx, meant)
	if _, hit := h.faults.Hit(fault.Throttle, meant); hit {
		code := core.LimitExceeded
		switch meant.Operation {
		case "GetRecords", "GetShardIterator", "PutRecord", "PutRecords":
			code = core.ThroughputExceeded
		}
		return &failure{string(code), "Rate exceeded: a fault that was asked for."}
	}
	if _, hit := h.faults.Hit(fault.Error, meant); hit {
		return &failure{internalFailure, "Internal service failure: a fault that was asked for."}
	}
	if _, hit := h.faults.Hit(fault.Deny, meant); hit {
		return &failure{string(core.AccessDenied), "User: nobody is not authorized to perform: kinesis:" + meant.Operation + ": a fault that was asked for."}
	}
	if _, hit := h.faults.Hit(fault.DisableKey, meant); hit {
		return &failure{"KMSDisabledException", "The key is disabled: a fault that was asked for."}
	}
	if meant.Operation == "GetRecords" {
		if _, hit := h.faults.Hit(fault.Expire, meant); hit {
			return &failure{string(core.ExpiredIterator), "Iterator expired: a fault that was asked for."}
		}
	}
	return nil
}

// respond writes the outcome and returns its HTTP status.
func (h *Handler) respond(w http.ResponseWriter, c codec, out any, err error) int {
	status := http.StatusOK
	if err != nil {
		f := asFailure(err)
		status = f.status()
		w.Header().Set("x-amzn-ErrorType", f.code)
		out = errorBody{f.code, f.message}
	}
	var body []byte
	if _, empty := out.(*none); !empty {
		body, err = c.encode(out)
		if err != nil {
			h.log.Error("response not encoded", "error", err)
			w.WriteHeader(http.StatusInternalServerError)
			return http.StatusInternalServerError
		}
	}
	w.Header().Set("Content-Type", c.contentType())
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil && !errors.Is(err, context.Canceled) {
		h.log.Debug("response not written: the client has gone", "error", err)
	}
	return status
}
