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
func ExampleClaimWorker() {
	dir, err := os.MkdirTemp("", "") // in earnest a folder that stays
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	claim := func() *bootstrap.Worker {
		worker, err := bootstrap.ClaimWorker(context.Background(), dir, "orders", nil)
		if err != nil {
			log.Fatal(err)
		}
		return worker
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

func ExampleQuote() {
	fmt.Println(bootstrap.Quote([]string{"java", "-cp", "/my jars/a.jar", "it's"}))
	// Output: java -cp '/my jars/a.jar' 'it'\''s'
}
