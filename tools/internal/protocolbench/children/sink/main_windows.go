// Command sink is measured on Unix only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "sink: it needs a Unix system")
	os.Exit(1)
}
