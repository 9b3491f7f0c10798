// Package scaffold creates a new consumer project for kcl-bootstrap new. The files of
// the project are made from the templates in folder template.
//
//	files, err := scaffold.Create(ctx, "orders", scaffold.Project{
//		Module: "example.com/team/orders", Stream: "orders", Application: "orders-app",
//		Region: "eu-west-1", ProcessorVersion: scaffold.DefaultWorkerVersion,
//	})
package scaffold

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// A Project describes a new project. The templates of its files use it.
type Project struct {
	// Module is the module path, such as example.com/team/orders.
	Module string
	// Stream is the name or the ARN of the stream to read.
	Stream string
	// Application is KCL's application name, which names the tables in DynamoDB.
	Application string
	// Region is an AWS region, such as eu-west-1.
	Region string
	// Children selects a program that kcl-bootstrap starts once per shard, as with
	// KCL for other languages. The default is a worker, one process for all shards.
	Children bool
	// ProcessorVersion is the version of processor/worker, or with Children of
	// processor, that go.mod requires.
	ProcessorVersion string
	// BootstrapVersion is the version of kcl-bootstrap that the Dockerfile of
	// Children installs, such as v0.1.0 or latest.
	BootstrapVersion string
}

// The newest releases that the templates were tested with.
const (
	DefaultWorkerVersion    = "v0.1.0"
	DefaultProcessorVersion = "v0.1.0"
)

// deadLetters is the folder that the project's program creates.
const deadLetters = "dead-letters"

// file is a file of a project. Its template, in folder template, is a text/template
// that gets the Project.
type file struct{ name, template, what string }

// files returns the files of the project, in the order in which to read them.
func (p Project) files() []file {
	if p.Children {
		return []file{
			{"README.md", "children/README.md", "how to build, try and deploy it"},
			{"records.go", "records.go", "what to do with a record; begin here"},
			{"records_test.go", "records_test.go", "its test, without KCL"},
			{"main.go", "children/main.go", "the program; kcl-bootstrap starts it once per shard"},
			{"sample.properties", "children/sample.properties", "KCL's configuration"},
			{"Dockerfile", "children/Dockerfile", "an image that needs only the network of AWS"},
			{p.Name() + ".service", "children/service", "the systemd unit"},
			{"go.mod", "children/go.mod", ""},
			{".gitignore", "gitignore", ""},
			{".dockerignore", "dockerignore", ""},
		}
	}
	return []file{
		{"README.md", "worker/README.md", "how to build, try and deploy it"},
		{"records.go", "records.go", "what to do with a record; begin here"},
		{"records_test.go", "records_test.go", "its test, without KCL"},
		{"main.go", "worker/main.go", "the program and its configuration"},
		{"Dockerfile", "worker/Dockerfile", "an image that needs only the network of AWS"},
		{"deployment.yaml", "worker/deployment.yaml", "the deployment in Kubernetes"},
		{p.Name() + ".service", "worker/service", "the systemd unit"},
		{"go.mod", "worker/go.mod", ""},
		{".gitignore", "gitignore", ""},
		{".dockerignore", "dockerignore", ""},
	}
}

//go:embed template
var templates embed.FS

// A File is a file of a project.
type File struct {
	// Name is relative to the project's folder.
	Name string
	// What describes the file in a few words. It is empty if the name does that.
	What string

	text []byte
}

var (
	pathElement = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$`)
	majorSuffix = regexp.MustCompile(`^v[2-9][0-9]*$`)
	programName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	streamName  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)
	streamARN   = regexp.MustCompile(`^arn:aws[^:]*:kinesis:([a-z0-9-]+):([0-9]{12}):stream/([A-Za-z0-9_.-]{1,128})$`)
	notDNS      = regexp.MustCompile(`[^a-z0-9]+`)
	tableName   = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,237}$`)
	regionName  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	release     = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
)

// reservedElements are the first elements of the standard library's package paths, and
// others that the go command does not accept in a module's path.
var reservedElements = strings.Fields(`archive bufio bytes cmd cmp compress container context crypto
	database debug embed encoding errors expvar flag fmt go hash html image index internal
	io iter log maps math mime net os path plugin reflect regexp runtime slices sort std
	strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak`)

// Name returns the name of the program, which go build takes from the module path.
func (p Project) Name() string {
	elements := strings.Split(p.Module, "/")
	last := elements[len(elements)-1]
	if len(elements) > 1 && majorSuffix.MatchString(last) {
		last = elements[len(elements)-2]
	}
	return last
}

// Image returns the name of the container image, which has no capital letters.
func (p Project) Image() string { return strings.ToLower(p.Name()) }

// Kubernetes returns the name of the project's objects in Kubernetes: lower-case
// letters, digits and hyphens, short enough for the suffixes of pod names.
func (p Project) Kubernetes() string {
	name := notDNS.ReplaceAllString(strings.ToLower(p.Name()), "-")
	return strings.TrimRight(name[:min(len(name), 40)], "-")
}

// ByARN reports whether Stream is an ARN.
func (p Project) ByARN() bool { return p.StreamRegion() != "" }

// StreamName returns the stream's name, also if Stream is an ARN.
func (p Project) StreamName() string {
	if name := p.arnPart(3); name != "" {
		return name
	}
	return p.Stream
}

// StreamRegion returns the region of the stream's ARN, or "" if Stream is a name.
func (p Project) StreamRegion() string { return p.arnPart(1) }

// StreamAccount returns the account of the stream's ARN, or "" if Stream is a name.
func (p Project) StreamAccount() string { return p.arnPart(2) }

// arnPart returns a group of streamARN, or "" if Stream is a name.
func (p Project) arnPart(group int) string {
	if arn := streamARN.FindStringSubmatch(p.Stream); arn != nil {
		return arn[group]
	}
	return ""
}

// Validate returns an error for the first thing that is wrong with the project. The
// error names the flag of kcl-bootstrap new to correct.
func (p Project) Validate() error {
	switch {
	case !validModule(p.Module) || !programName.MatchString(p.Name()):
		return fmt.Errorf("module path %q is not like example.com/team/orders; name one with --module", p.Module)
	case slices.Contains(reservedElements, strings.SplitN(p.Module, "/", 2)[0]):
		return fmt.Errorf("module path %q begins like a package of Go's standard library; name one with --module, such as example.com/%[1]s", p.Module)
	case p.hasFile(p.Name()):
		return fmt.Errorf("a program called %s has the name of another file of the project; name another --module", p.Name())
	case !p.ByARN() && !streamName.MatchString(p.Stream):
		return fmt.Errorf("stream %q is neither the ARN of a stream nor a valid name: 1 to 128 letters, digits, and _ . -; name it with --stream", p.Stream)
	case !tableName.MatchString(p.Application):
		return fmt.Errorf("application name %q cannot be the name of a table: 3 to 237 letters, digits, and _ . -; name it with --application", p.Application)
	case !regionName.MatchString(p.Region):
		return fmt.Errorf("region %q is not like us-east-1; name it with --region", p.Region)
	case p.ByARN() && p.StreamRegion() != p.Region:
		return fmt.Errorf("stream %s is not in region %s, and KCL reads in the region of its tables; correct --region or --stream", p.Stream, p.Region)
	case !release.MatchString(p.ProcessorVersion):
		return fmt.Errorf("--processor-version %q is not a version like %s", p.ProcessorVersion, DefaultProcessorVersion)
	}
	return nil
}

func validModule(path string) bool {
	for element := range strings.SplitSeq(path, "/") {
		if !pathElement.MatchString(element) || strings.HasSuffix(element, ".") {
			return false
		}
	}
	return true
}

// hasFile reports whether the project has a file of that name, also on a system that
// does not distinguish capital and small letters.
func (p Project) hasFile(program string) bool {
	for _, f := range p.files() {
		if strings.EqualFold(program, f.name) {
			return true
		}
	}
	return strings.EqualFold(program, deadLetters)
}

// ErrNotEmpty means that the folder of a new project has files already.
var ErrNotEmpty = errors.New("it is not empty; name a new or an empty folder")

// Create creates the project in dir, which must not exist or be empty, except for .git.
// It returns the files. After an error, or when ctx ends, it leaves nothing in dir.
func Create(ctx context.Context, dir string, p Project) (created []File, err error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	all, err := p.render()
	if err != nil {
		return nil, err
	}
	if err := checkEmpty(dir); err != nil {
		return nil, fmt.Errorf("cannot create a project in %s: %w", dir, err)
	}
	undo, err := write(ctx, dir, all)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot create a project in %s: %w", dir, err), undo())
	}
	return all, nil
}

// render returns the files of the project, before anything is written.
func (p Project) render() ([]File, error) {
	var all []File
	for _, f := range p.files() {
		source, err := templates.ReadFile("template/" + f.template + ".tmpl")
		if err != nil {
			return nil, err
		}
		t, err := template.New(f.template).Parse(string(source))
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := t.Execute(&text, p); err != nil {
			return nil, err
		}
		all = append(all, File{Name: f.name, What: f.what, text: text.Bytes()})
	}
	return all, nil
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != ".git" { // a clone of an empty repository
			return ErrNotEmpty
		}
	}
	return nil
}

// write creates the folder and the files in it. undo removes what it created.
func write(ctx context.Context, dir string, all []File) (undo func() error, err error) {
	var created []string
	undo = func() (err error) {
		for i := len(created) - 1; i >= 0; i-- {
			err = errors.Join(err, os.Remove(created[i]))
		}
		return err
	}
	var missing []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		missing = append(missing, d)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := os.Mkdir(missing[i], 0o777); err != nil {
			return undo, err
		}
		created = append(created, missing[i])
	}
	for _, f := range all {
		if err := ctx.Err(); err != nil {
			return undo, context.Cause(ctx)
		}
		name := filepath.Join(dir, f.Name)
		// A file that appeared meanwhile must not be overwritten.
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return undo, err
		}
		created = append(created, name)
		_, err = file.Write(f.text)
		if err := errors.Join(err, file.Close()); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// pseudo is the end of the version of a commit that is not a release.
var pseudo = regexp.MustCompile(`[-.][0-9]{14}-[0-9a-f]{12}$`)

// InstallableVersion returns version if it is a release that go install finds, and
// latest otherwise: a kcl-bootstrap that was built in a checkout has no such version.
func InstallableVersion(version string) string {
	if release.MatchString(version) && !pseudo.MatchString(version) {
		return version
	}
	return "latest"
}
