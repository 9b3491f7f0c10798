package httpserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// faultsPath is the path of the rules over HTTP.
const faultsPath = "/faults"

const maxRules = 1 << 20 // the largest body, in bytes

// serve returns the rules (GET), replaces them (PUT) and removes them (DELETE). It
// refuses clients on other machines.
func (f *Faults) serve(w http.ResponseWriter, r *http.Request) {
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !addr.Addr().Unmap().IsLoopback() {
		http.Error(w, "faults can be set only from the server's own machine", http.StatusForbidden)
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
		if err := f.Set(rules); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		http.Error(w, "use GET, PUT or DELETE", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(f.report())
}
