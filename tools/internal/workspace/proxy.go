package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// A Proxy is a folder laid out as the GOPROXY protocol has it
// (go.dev/ref/mod#goproxy-protocol), for modules made from the tree.
type Proxy struct {
	Dir string
}

// URL returns the folder as an element of GOPROXY.
func (p Proxy) URL() string { return FileURL(p.Dir) }

// FileURL returns a folder as an element of GOPROXY, with forward slashes and
// what has a meaning in a URL escaped.
func FileURL(dir string) string {
	dir = filepath.ToSlash(dir)
	if !strings.HasPrefix(dir, "/") {
		dir = "/" + dir // C:/...
	}
	return (&url.URL{Scheme: "file", Path: dir}).String()
}

// Publish packs the module as a release would - the files that git tracks or
// would track, changed or not, less nested modules - and puts it into the
// proxy under its version. It returns the path of the zip file.
//
// goMod replaces the module's go.mod unless it is nil, goSum its go.sum.
func (p Proxy) Publish(ctx context.Context, ws *Workspace, m *Module, goMod, goSum []byte) (string, error) {
	files, err := sources(ctx, filepath.Join(ws.Root, filepath.FromSlash(m.Dir)))
	if err != nil {
		return "", fmt.Errorf("list the files of %s: %w", m.Dir, err)
	}
	files = replace(files, "go.mod", goMod)
	files = replace(files, "go.sum", goSum)
	if _, err := read(files, "LICENSE"); errors.Is(err, fs.ErrNotExist) {
		// The go command gives a module the repository's.
		license, err := os.ReadFile(filepath.Join(ws.Root, "LICENSE"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		files = replace(files, "LICENSE", license)
	}
	return p.publish(m.Path, m.Version, files)
}

func (p Proxy) publish(modPath, version string, files []zip.File) (name string, err error) {
	escPath, err := module.EscapePath(modPath)
	if err != nil {
		return "", err
	}
	escVersion, err := module.EscapeVersion(version)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(p.Dir, filepath.FromSlash(escPath), "@v")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	name = filepath.Join(dir, escVersion+".zip")
	w, err := os.Create(name)
	if err != nil {
		return "", err
	}
	err = zip.Create(w, module.Version{Path: modPath, Version: version}, files)
	if err := errors.Join(err, w.Close()); err != nil {
		return "", fmt.Errorf("pack %s@%s: %w", modPath, version, err)
	}
	goMod, err := read(files, "go.mod")
	if err != nil {
		return "", fmt.Errorf("pack %s@%s: %w", modPath, version, err)
	}
	// The time is fixed: nothing may depend on when it was packed.
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Unix(0, 0).UTC()})
	if err != nil {
		return "", err
	}
	list, err := withVersion(filepath.Join(dir, "list"), version)
	if err != nil {
		return "", err
	}
	for file, text := range map[string][]byte{
		escVersion + ".mod":  goMod,
		escVersion + ".info": info,
		"list":               list,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o666); err != nil {
			return "", err
		}
	}
	return name, nil
}

// withVersion returns the text of a proxy's list file with the version in it.
func withVersion(name, version string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) == version {
			return text, nil
		}
	}
	return append(text, version+"\n"...), nil
}

// PublishRevision packs the module as the git revision has it, with all that
// the go command does when it fetches a module from a repository, and puts it
// into the proxy under the version. It returns the path of the zip file.
func (p Proxy) PublishRevision(ctx context.Context, ws *Workspace, m *Module, revision, version string) (string, error) {
	temp, err := os.CreateTemp("", "revision-*.zip")
	if err != nil {
		return "", err
	}
	defer os.Remove(temp.Name())
	err = zip.CreateFromVCS(temp, module.Version{Path: m.Path, Version: version}, ws.Root, revision, m.Dir)
	if err := errors.Join(err, temp.Close(), ctx.Err()); err != nil {
		return "", fmt.Errorf("pack %s as %s has it: %w", m.Dir, revision, err)
	}
	// The files once more, so that one function knows the proxy's layout.
	dir, err := os.MkdirTemp("", "revision-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := zip.Unzip(dir, module.Version{Path: m.Path, Version: version}, temp.Name()); err != nil {
		return "", err
	}
	var files []zip.File
	if err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		files = append(files, diskFile{dir, filepath.ToSlash(rel)})
		return err
	}); err != nil {
		return "", err
	}
	return p.publish(m.Path, version, files)
}

// Sums returns the lines that go.sum has for a module in the proxy.
func (p Proxy) Sums(modPath, version string) ([]string, error) {
	escPath, err := module.EscapePath(modPath)
	if err != nil {
		return nil, err
	}
	escVersion, err := module.EscapeVersion(version)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(p.Dir, filepath.FromSlash(escPath), "@v", escVersion)
	all, err := dirhash.HashZip(name+".zip", dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	goMod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(name + ".mod") })
	if err != nil {
		return nil, err
	}
	return []string{modPath + " " + version + " " + all, modPath + " " + version + "/go.mod " + goMod}, nil
}

// Unpack unpacks a zip file that Publish made into dir, which must be empty or
// missing. The files can be written to, other than in a module cache.
func Unpack(dir string, m *Module, name string) error {
	if err := zip.Unzip(dir, module.Version{Path: m.Path, Version: m.Version}, name); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(name, 0o666)
	})
}

// sources returns the files below dir that a commit of everything would hold.
func sources(ctx context.Context, dir string) ([]zip.File, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var files []zip.File
	seen := make(map[string]bool) // a file in conflict is listed three times
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		f := diskFile{dir, name}
		if _, err := f.Lstat(); errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		files = append(files, f)
	}
	return files, nil
}

type diskFile struct{ dir, name string }

func (f diskFile) Path() string                 { return f.name }
func (f diskFile) Lstat() (fs.FileInfo, error)  { return os.Lstat(f.disk()) }
func (f diskFile) Open() (io.ReadCloser, error) { return os.Open(f.disk()) }
func (f diskFile) disk() string                 { return filepath.Join(f.dir, filepath.FromSlash(f.name)) }

// A textFile stands in for a file of the tree. It is its own fs.FileInfo.
type textFile struct {
	name string
	text []byte
}

func (f textFile) Path() string                 { return f.name }
func (f textFile) Lstat() (fs.FileInfo, error)  { return f, nil }
func (f textFile) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.text)), nil }

func (f textFile) Name() string       { return path.Base(f.name) }
func (f textFile) Size() int64        { return int64(len(f.text)) }
func (f textFile) Mode() fs.FileMode  { return 0o644 }
func (f textFile) ModTime() time.Time { return time.Time{} }
func (f textFile) IsDir() bool        { return false }
func (f textFile) Sys() any           { return nil }

func replace(files []zip.File, name string, text []byte) []zip.File {
	if text == nil {
		return files
	}
	for i, f := range files {
		if f.Path() == name {
			files[i] = textFile{name, text}
			return files
		}
	}
	return append(files, textFile{name, text})
}

func read(files []zip.File, name string) ([]byte, error) {
	for _, f := range files {
		if f.Path() == name {
			r, err := f.Open()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(r)
		}
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}
