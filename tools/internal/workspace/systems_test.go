package workspace_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// All packages, their tests and their imports type-check on other systems. Each system and
// each architecture is in one of these; no file here is for a pair of them. Compiling and
// linking takes ten times as long and is done nightly.
func TestOtherSystems(t *testing.T) {
	testenv.Long(t)
	root := testenv.Workspace(t)
	for _, system := range []string{"darwin/arm64", "windows/amd64"} {
		goos, goarch, _ := strings.Cut(system, "/")
		all, err := packages.Load(&packages.Config{
			Mode: packages.NeedImports | packages.NeedDeps | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo |
				packages.NeedName | packages.NeedCompiledGoFiles,
			Dir: root, Env: append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0"), Tests: true,
		}, "work")
		if err != nil || len(all) == 0 {
			t.Fatalf("%s: %d packages, %v", system, len(all), err)
		}
		packages.Visit(all, nil, func(p *packages.Package) {
			for _, e := range p.Errors {
				t.Errorf("%s: %v", system, e)
			}
		})
	}
}
