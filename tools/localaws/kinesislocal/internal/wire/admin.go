package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// FaultsPath is where rules are set over HTTP.
const FaultsPath = "/faults"

const maxRules = 1 << 20 // bytes of a request

// serveFaults shows the rules (GET), replaces them (PUT) and removes them
// (DELETE). It serves this machine only.
func (h *Handler) serveFaults(w http.ResponseWriter, r *http.Request) {
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !addr.Addr().Unmap().IsLoopback() {
		http.Error(w, "faults can be set from the machine of the server only", http.StatusForbidden)
		return
	}
	var rules []fault.Rule
	switch r.Method {
	case http.MethodGet:
	case http.MethodPut:
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRules))
		if err == nil {
			err = json.Unmarshal(body, &rules)
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("the body is not a list of rules: %v", err), http.StatusBadRequest)
			return
		}
		fallthrough
	case http.MethodDelete:
		if err := h.faults.Set(rules); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.log.Info("faults set", "rules", len(rules))
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		http.Error(w, "use GET, PUT or DELETE", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(h.faults.report())
}

type connKey struct{}

// WithConn makes the connection known to the handler, which must be able to
// cut it.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// drop cuts the connection of a request and ends its handler.
func drop(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(net.Conn); ok {
		c.Close()
	}
	panic(http.ErrAbortHandler)
}
