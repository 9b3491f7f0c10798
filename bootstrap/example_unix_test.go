//go:build linux || darwin || freebsd

package bootstrap_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// The ID is the same at each start, and another worker's beside it is not.
func ExampleClaimWorkerID() {
	dir, err := os.MkdirTemp("", "") // in earnest a folder that stays
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	claim := func() *bootstrap.WorkerIDClaim {
		claim, err := bootstrap.ClaimWorkerID(context.Background(), dir, "orders", nil)
		if err != nil {
			log.Fatal(err)
		}
		return claim
	}
	first := claim()
	second := claim()
	defer second.Close()
	first.Close() // it has ended, and its daemon has
	again := claim()
	defer again.Close()
	fmt.Println(again.ID == first.ID, again.ID == second.ID)
	// Output: true false
}
