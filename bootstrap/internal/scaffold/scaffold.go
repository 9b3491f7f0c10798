// Package scaffold writes a new consumer project: all that kcl-bootstrap new
// makes. The text of its files is in the folder template.
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

// A Project is what the files of a new project are made of.
type Project struct {
	// Module is the module path, such as example.com/team/orders.
	Module string
	// Stream is the stream to read, by its name or its ARN.
	Stream string
	// Application is the name that AWS will know.
	Application string
	// Region is an AWS region, such as eu-west-1.
	Region string
	// Children makes a program that kcl-bootstrap starts for each shard, as KCL's
	// other languages do. Without it the program is a worker: one process for all
	// shards.
	Children bool
	// ProcessorVersion is the version that go.mod requires of processor/worker, or
	// with Children of processor.
	ProcessorVersion string
	// BootstrapVersion is the version of kcl-bootstrap that the Dockerfile of
	// Children installs; latest where that is not known.
	BootstrapVersion string
}

// The newest releases that the templates were tried with.
const (
	DefaultWorkerVersion    = "v0.1.0"
	DefaultProcessorVersion = "v0.1.0"
)

// deadLetters is the folder that the project's own program makes.
const deadLetters = "dead-letters"

// file is a file of a project. Its template, in the folder template, is a
// text/template of a Project.
type file struct{ name, template, what string }

// files are those of the project, in the order in which to read them.
func (p Project) files() []file {
	if p.Children {
		return []file{
			{"README.md", "children/README.md", "how to build, try and deploy it"},
			{"records.go", "records.go", "what is done with a record: begin here"},
			{"records_test.go", "records_test.go", "its test; KCL is played"},
			{"main.go", "children/main.go", "the program, which kcl-bootstrap starts for each shard"},
			{"sample.properties", "children/sample.properties", "KCL's configuration"},
			{"Dockerfile", "children/Dockerfile", "an image that needs no network but AWS's"},
			{p.Name() + ".service", "children/service", "the systemd unit"},
			{"go.mod", "children/go.mod", ""},
			{".gitignore", "gitignore", ""},
			{".dockerignore", "dockerignore", ""},
		}
	}
	return []file{
		{"README.md", "worker/README.md", "how to build, try and deploy it"},
		{"records.go", "records.go", "what is done with a record: begin here"},
		{"records_test.go", "records_test.go", "its test; KCL is played"},
		{"main.go", "worker/main.go", "the program, and its configuration"},
		{"Dockerfile", "worker/Dockerfile", "an image that needs no network but AWS's"},
		{"deployment.yaml", "worker/deployment.yaml", "the image in Kubernetes"},
		{p.Name() + ".service", "worker/service", "the systemd unit"},
		{"go.mod", "worker/go.mod", ""},
		{".gitignore", "gitignore", ""},
		{".dockerignore", "dockerignore", ""},
	}
}

//go:embed template
var templates embed.FS

// A File is one of a project's.
type File struct {
	// Name is relative to the project's folder.
	Name string
	// What says in a few words what it is for; empty where the name does.
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

// gosOwn are the first elements of the paths of Go's own packages, and more that
// the go command does not build in a module.
var gosOwn = strings.Fields(`archive bufio bytes cmd cmp compress container context crypto
	database debug embed encoding errors expvar flag fmt go hash html image index internal
	io iter log maps math mime net os path plugin reflect regexp runtime slices sort std
	strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak`)

// Name is the name of the program, which go build takes from the module path.
func (p Project) Name() string {
	elements := strings.Split(p.Module, "/")
	last := elements[len(elements)-1]
	if len(elements) > 1 && majorSuffix.MatchString(last) {
		last = elements[len(elements)-2]
	}
	return last
}

// Image is the name of the container image, which has no capital letters.
func (p Project) Image() string { return strings.ToLower(p.Name()) }

// Kubernetes is the name of the project's objects there: small letters, digits
// and hyphens. It is short enough for what their pods' names have behind it.
func (p Project) Kubernetes() string {
	name := notDNS.ReplaceAllString(strings.ToLower(p.Name()), "-")
	return strings.TrimRight(name[:min(len(name), 40)], "-")
}

// ByARN tells whether the stream is named by its ARN.
func (p Project) ByARN() bool { return p.StreamRegion() != "" }

// StreamName is the stream's name, also where its ARN is given.
func (p Project) StreamName() string {
	if name := p.ofARN(3); name != "" {
		return name
	}
	return p.Stream
}

// StreamRegion is the region of the stream's ARN; empty where its name is given.
func (p Project) StreamRegion() string { return p.ofARN(1) }

// StreamAccount is the account of the stream's ARN; empty where its name is given.
func (p Project) StreamAccount() string { return p.ofARN(2) }

// ofARN is a group of streamARN.
func (p Project) ofARN(group int) string {
	if arn := streamARN.FindStringSubmatch(p.Stream); arn != nil {
		return arn[group]
	}
	return ""
}

// Validate says what is wrong with the project, by the names of the flags of
// kcl-bootstrap new.
func (p Project) Validate() error {
	switch {
	case !validModule(p.Module) || !programName.MatchString(p.Name()):
		return fmt.Errorf("module path %q is not one like example.com/team/orders; name it with --module", p.Module)
	case slices.Contains(gosOwn, strings.SplitN(p.Module, "/", 2)[0]):
		return fmt.Errorf("module path %q begins as Go's own packages do; name it with --module, such as example.com/%[1]s", p.Module)
	case p.reserved(p.Name()):
		return fmt.Errorf("a program called %s would stand in the way of the project's file of that name; name another --module", p.Name())
	case !p.ByARN() && !streamName.MatchString(p.Stream):
		return fmt.Errorf("stream %q is neither the ARN of one nor a name that AWS takes: 1 to 128 letters, digits, and _ . -; name it with --stream", p.Stream)
	case !tableName.MatchString(p.Application):
		return fmt.Errorf("application name %q cannot name tables: 3 to 237 letters, digits, and _ . -; name it with --application", p.Application)
	case !regionName.MatchString(p.Region):
		return fmt.Errorf("region %q is no name of a region, like us-east-1; name it with --region", p.Region)
	case p.ByARN() && p.StreamRegion() != p.Region:
		return fmt.Errorf("stream %s is not in region %s: KCL reads in the region of its tables; correct --region or --stream", p.Stream, p.Region)
	case !release.MatchString(p.ProcessorVersion):
		return fmt.Errorf("--processor-version %q is no version, like %s", p.ProcessorVersion, DefaultProcessorVersion)
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

// reserved tells whether the project has something else of that name, also on
// a system that takes capital and small letters for the same.
func (p Project) reserved(program string) bool {
	for _, f := range p.files() {
		if strings.EqualFold(program, f.name) {
			return true
		}
	}
	return strings.EqualFold(program, deadLetters)
}

// ErrNotEmpty is the error for a folder that has files already.
var ErrNotEmpty = errors.New("it has files already; name a new or an empty folder")

// Create makes the project in dir, which must not exist, or be empty but for a
// .git. When it fails, or ctx ends, nothing of it is left.
func Create(ctx context.Context, dir string, p Project) (made []File, err error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	all, err := p.render()
	if err != nil {
		return nil, err
	}
	if err := checkEmpty(dir); err != nil {
		return nil, fmt.Errorf("cannot make a project in %s: %w", dir, err)
	}
	undo, err := write(ctx, dir, all)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make a project in %s: %w", dir, err), undo())
	}
	return all, nil
}

// render makes the texts, before anything is on the disk.
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
		if e.Name() != ".git" { // a clone of a repository that is still empty
			return ErrNotEmpty
		}
	}
	return nil
}

// write makes the folder and the files in it. undo removes what it made.
func write(ctx context.Context, dir string, all []File) (undo func() error, err error) {
	var made []string
	undo = func() (err error) {
		for i := len(made) - 1; i >= 0; i-- {
			err = errors.Join(err, os.Remove(made[i]))
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
		made = append(made, missing[i])
	}
	for _, f := range all {
		if err := ctx.Err(); err != nil {
			return undo, context.Cause(ctx)
		}
		name := filepath.Join(dir, f.Name)
		// What came there meanwhile is somebody else's.
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return undo, err
		}
		made = append(made, name)
		_, err = file.Write(f.text)
		if err := errors.Join(err, file.Close()); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// pseudo is the end of the version of a commit that is no release.
var pseudo = regexp.MustCompile(`[-.][0-9]{14}-[0-9a-f]{12}$`)

// Released returns version if it is one that go install finds, else latest: a
// kcl-bootstrap that was built in a checkout has no such version.
func Released(version string) string {
	if release.MatchString(version) && !pseudo.MatchString(version) {
		return version
	}
	return "latest"
}
