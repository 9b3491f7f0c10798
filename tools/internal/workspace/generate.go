package workspace

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

// Generate runs a command without arguments that generates a file of the checkout. It
// writes the result of make to the file, prints its path and ends the process. file is
// relative to the root, with slashes.
func Generate(command, help, file string, make func(ctx context.Context, root string) ([]byte, error)) {
	if len(os.Args) > 1 {
		if os.Args[1] == "--help" || os.Args[1] == "-h" {
			fmt.Print(help)
			os.Exit(0)
		}
		fmt.Fprintf(os.Stderr, "%s: unexpected argument %q; try --help\n", command, os.Args[1])
		os.Exit(2)
	}
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt)
	if err := generate(ctx, file, make); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", command, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func generate(ctx context.Context, file string, make func(ctx context.Context, root string) ([]byte, error)) error {
	root, err := Find(ctx, ".")
	if err != nil {
		return err
	}
	text, err := make(ctx, root)
	if err != nil {
		return err
	}
	name := filepath.Join(root, filepath.FromSlash(file))
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}
