//go:build linux

package cluster

import "testing"

func TestHostOf(t *testing.T) {
	worker, bootstrap := &Host{Name: "worker-1", id: 2}, &Host{Name: "bootstrap-1", Bootstrap: true}
	c := &Cluster{Hosts: []*Host{worker, bootstrap}}
	for id, want := range map[string]*Host{
		"worker-1-2": worker, "worker-1-1": nil, "a-host:claimed": bootstrap, "": nil,
	} {
		if got := c.HostOf(id); got != want {
			t.Errorf("%q is of %v, want %v", id, got, want)
		}
	}
}
