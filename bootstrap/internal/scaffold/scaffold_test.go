package scaffold

import (
	"context"
	"errors"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

func project(module string) Project {
	return Project{
		Module: module, Stream: "orders-stream", Application: "orders-app", Region: "eu-west-1",
		ProcessorVersion: "v1.2.3", BootstrapVersion: "v4.5.6",
	}
}

// forms returns a project of each kind.
func forms(module string) map[string]Project {
	worker, children := project(module), project(module)
	children.Children = true
	return map[string]Project{"worker": worker, "children": children}
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each file exists, is formatted, and has the names of the project.
func TestCreate(t *testing.T) {
	for _, module := range []string{"orders", "example.com/team/orders", "example.com/orders/v2", "example.com/Order_s.x"} {
		for form, p := range forms(module) {
			t.Run(form+"/"+module, func(t *testing.T) { testCreate(t, p) })
		}
	}
}

func testCreate(t *testing.T, p Project) {
	dir := filepath.Join(t.TempDir(), "not there", "yet")
	made, err := Create(t.Context(), dir, p)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range made {
		names = append(names, f.Name)
	}
	var there []string
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			there = append(there, d.Name())
		}
		return err
	})
	slices.Sort(names)
	slices.Sort(there)
	if err != nil || !slices.Equal(names, there) {
		t.Errorf("made %q, there are %q, %v", names, there, err)
	}
	for _, name := range there {
		text := read(t, dir, name)
		if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") || !strings.HasSuffix(text, "\n") || strings.Contains(text, " \n") || strings.Contains(text, "\n\n\n") {
			t.Errorf("%s is not whole, or has spaces at a line's end:\n%s", name, text)
		}
		if strings.HasSuffix(name, ".go") {
			if formatted, err := format.Source([]byte(text)); err != nil || string(formatted) != text {
				t.Errorf("%s is not formatted (%v)", name, err)
			}
		}
	}
	says := map[string]string{
		"go.mod":              "module " + p.Module + "\n",
		"main.go":             "// Command " + p.Name() + " handles the records of the Kinesis stream orders-stream",
		"records_test.go":     "func TestRecords(",
		p.Name() + ".service": "\nStateDirectory=" + p.Name() + "\n",
		".gitignore":          "/" + p.Name() + "\n",
		".dockerignore":       "\n" + p.Name() + "\n",
		"README.md":           "--application orders-app --stream-name orders-stream --region eu-west-1",
	}
	version := "/processor/worker v1.2.3\n"
	if p.Children {
		version = "/processor v1.2.3\n"
		says["sample.properties"] = "\nexecutableName = ./" + p.Name() + "\n"
		says["Dockerfile"] = "kcl-bootstrap@v4.5.6\n"
	} else {
		says["Dockerfile"] = "\nENTRYPOINT [\"" + p.Name() + "\"]\n"
		says["deployment.yaml"] = "image: " + p.Image() + ":"
	}
	for name, want := range says {
		if !strings.Contains(read(t, dir, name), want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
	if !strings.HasSuffix(read(t, dir, "go.mod"), version) {
		t.Errorf("go.mod: %s", read(t, dir, "go.mod"))
	}
}

// If the stream is named by its ARN, no command uses the stream of that name in the
// reader's own account. Only the local producer, which runs in the stream's account,
// uses the name.
func TestARNIsWhatIsTyped(t *testing.T) {
	const arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/payments"
	for form, p := range forms("orders") {
		p.Stream = arn
		dir := t.TempDir()
		if _, err := Create(t.Context(), dir, p); err != nil {
			t.Fatal(err)
		}
		readme := read(t, dir, "README.md")
		typed := 0
		for line := range strings.Lines(readme) {
			switch command := strings.TrimSpace(line); {
			case strings.Contains(command, "--stream-name "):
				typed++
				if !strings.Contains(command, "--stream-name "+arn+" --region eu-west-1") {
					t.Errorf("%s: %s", form, command)
				}
			case strings.Contains(command, `{Stream: "payments"}`):
				t.Errorf("%s: %s", form, command)
			}
		}
		if typed == 0 {
			t.Errorf("%s: no command of kcl-infra:\n%s", form, readme)
		}
		local := "\n    export AWS_ACCESS_KEY_ID=111122223333\n    producer --stream payments --region eu-west-1 --records 100\n    "
		if p.Children {
			local += "kcl-bootstrap -e -p sample.local.properties --set regionName=eu-west-1\n"
		} else {
			local += "go run .\n"
		}
		for _, want := range []string{local, "`payments`\nof account 111122223333", "If ACCOUNT is not 111122223333, the stream's owner must allow it too", "`--resource-policies`"} {
			if !strings.Contains(readme, want) {
				t.Errorf("%s: no %q in:\n%s", form, want, readme)
			}
		}
	}
}

// Kubernetes accepts the name for any program: as a label and as the prefix of pod
// names, which have at most 63 characters.
func TestKubernetes(t *testing.T) {
	for program, want := range map[string]string{
		"orders": "orders", "Order_s.x": "order-s-x", "a__b": "a-b", "7": "7",
		strings.Repeat("a", 39) + "_" + strings.Repeat("b", 39): strings.Repeat("a", 39),
	} {
		if got := project("example.com/" + program).Kubernetes(); got != want {
			t.Errorf("%s: %q, want %q", program, got, want)
		}
	}
}

// The configuration passes the check of every start, without warnings.
func TestPropertiesAreGood(t *testing.T) {
	const arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders-stream"
	for property, stream := range map[string]string{"streamName": "orders-stream", "streamArn": arn} {
		dir := t.TempDir()
		p := forms("orders")["children"]
		p.Stream = stream
		if _, err := Create(t.Context(), dir, p); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"orders", "orders.exe"} { // of Unix, of Windows
			if err := os.WriteFile(filepath.Join(dir, program), nil, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		t.Chdir(dir)
		properties, err := bootstrap.ReadProperties("sample.properties")
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := properties.Check(nil)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v, %v", warnings, err)
		}
		for name, want := range map[string]string{property: stream, "applicationName": "orders-app", "regionName": "eu-west-1"} {
			if got, _ := properties.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Project)
		want   string
	}{
		"module with a space":     {func(p *Project) { p.Module = "my orders" }, "--module"},
		"module of nothing":       {func(p *Project) { p.Module = "" }, "--module"},
		"module of the root":      {func(p *Project) { p.Module = "/" }, "--module"},
		"module that climbs":      {func(p *Project) { p.Module = "example.com/../x" }, "--module"},
		"module that ends in /":   {func(p *Project) { p.Module = "example.com/" }, "--module"},
		"module as a file":        {func(p *Project) { p.Module = "example.com/dockerfile" }, "program called dockerfile"},
		"module as a Deployment":  {func(p *Project) { p.Module = "example.com/deployment.yaml" }, "program called deployment.yaml"},
		"module as a folder":      {func(p *Project) { p.Module = "dead-letters" }, "program called dead-letters"},
		"module of Go's own":      {func(p *Project) { p.Module = "log" }, "example.com/log"},
		"module below Go's own":   {func(p *Project) { p.Module = "cmd/orders" }, "example.com/cmd/orders"},
		"stream with a slash":     {func(p *Project) { p.Stream = "a/b" }, "--stream"},
		"stream with a line end":  {func(p *Project) { p.Stream = "a\nb" }, "--stream"},
		"ARN of a consumer":       {func(p *Project) { p.Stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/a/consumer/b:1" }, "--stream"},
		"ARN of another region":   {func(p *Project) { p.Stream = "arn:aws:kinesis:eu-west-2:123456789012:stream/a" }, "--stream"},
		"no stream":               {func(p *Project) { p.Stream = "" }, "--stream"},
		"application too short":   {func(p *Project) { p.Application = "ab" }, "--application"},
		"region of capitals":      {func(p *Project) { p.Region = "EU" }, "--region"},
		"version without its v":   {func(p *Project) { p.ProcessorVersion = "1.2.3" }, "--processor-version"},
		"version that is a query": {func(p *Project) { p.ProcessorVersion = "latest" }, "--processor-version"},
	} {
		t.Run(name, func(t *testing.T) {
			p := project("orders")
			c.change(&p)
			dir := filepath.Join(t.TempDir(), "new")
			_, err := Create(t.Context(), dir, p)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want a line with %s", err, c.want)
			}
			if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the folder: %v", err)
			}
		})
	}
}

func TestOccupiedFolders(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), dir, project("orders")); err != nil {
		t.Errorf("a new clone: %v", err)
	}
	before := read(t, dir, "main.go") + "mine\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(before), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), dir, project("orders")); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a folder with files: %v", err)
	}
	if read(t, dir, "main.go") != before {
		t.Error("a file was changed")
	}
	if _, err := Create(t.Context(), filepath.Join(dir, "main.go"), project("orders")); err == nil {
		t.Error("no error for a file instead of a folder")
	}
	if _, err := Create(t.Context(), filepath.Join(dir, "main.go", "below"), project("orders")); err == nil {
		t.Error("no error for a folder within a file")
	}
}

// endsAfter is a context that ends after n calls of Err.
type endsAfter struct {
	context.Context
	n *int
}

func (c endsAfter) Err() error {
	if *c.n--; *c.n < 0 {
		return context.Canceled
	}
	return nil
}

// Ctrl-C after any file leaves nothing behind, neither files nor new folders, and
// keeps what was there before.
func TestNothingIsLeft(t *testing.T) {
	for form, p := range forms("orders") {
		for n := range p.files() {
			parent := t.TempDir()
			empty := filepath.Join(parent, "empty")
			if err := os.Mkdir(empty, 0o777); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{empty, filepath.Join(parent, "a", "b")} {
				left := n
				if _, err := Create(endsAfter{t.Context(), &left}, dir, p); err == nil {
					t.Fatalf("%s: no error after %d files of %s", dir, n, form)
				}
			}
			var there []string
			err := filepath.WalkDir(parent, func(name string, d fs.DirEntry, err error) error {
				there = append(there, name)
				return err
			})
			if err != nil || !slices.Equal(there, []string{parent, empty}) {
				t.Errorf("after %d files of %s: left %q, %v", n, form, there, err)
			}
		}
	}
}

// The module paths in the templates are those of this module's siblings.
func TestPrefix(t *testing.T) {
	own := strings.TrimPrefix(strings.SplitN(read(t, "..", "..", "go.mod"), "\n", 2)[0], "module ")
	prefix := strings.TrimSuffix(own, "bootstrap")
	paths := regexp.MustCompile(`[\w.-]+\.[a-z]+/[\w./-]*/(processor|bootstrap|producer)\b`)
	for form, p := range forms("orders") {
		all, err := p.render()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range all {
			for _, path := range paths.FindAllString(string(f.text), -1) {
				n++
				if sibling, ok := strings.CutPrefix(path, prefix); !ok || strings.Contains(sibling, "/") {
					t.Errorf("%s of %s names %s, want a module of %s", f.Name, form, path, prefix)
				}
			}
		}
		if n < 5 {
			t.Errorf("%s: %d paths found", form, n)
		}
	}
}

func TestInstallableVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "v0.1.0", "v1.2.3-rc.1": "v1.2.3-rc.1", "(devel)": "latest", "(unknown)": "latest", "": "latest",
		"v0.0.0-20261124153528-885abcdef012":         "latest",
		"v0.1.1-0.20261124153528-885abcdef012":       "latest",
		"v0.1.0+dirty":                               "latest",
		"v0.1.1-0.20261124153528-885abcdef012+dirty": "latest",
	} {
		if got := InstallableVersion(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}
