package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
	"github.com/seed96110120/kinesis-client-go/tools/internal/pinned"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// sumsFile has the SHA-256 of the other files, as sha256sum writes and checks
// them.
const sumsFile = "SHA256SUMS"

// writeBinaries builds the commands of the one module as "go install
// COMMAND@VERSION" builds them with CGO_ENABLED=0 and -trimpath, so that
// whoever does that with the same Go gets the same bytes. The archives are the
// same as well: their files have the commit's time.
func (r *release) writeBinaries(ctx context.Context, dir string) error {
	trees, err := r.makeReady(ctx)
	if err != nil {
		return err
	}
	if err := r.checkPrepared(ctx); err != nil {
		return err
	}
	if err := r.failures.err(); err != nil {
		return err
	}
	m := r.modules[0]
	tree := trees[m]
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	// Not MkdirAll: what another run has left would be attached too.
	if err := os.Mkdir(files, 0o777); err != nil {
		return fmt.Errorf("%w: choose a new folder", err)
	}
	text, err := os.ReadFile(filepath.Join(tree, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	s, err := entry(string(text), r.version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.md"), []byte(s.body+"\n"), 0o666); err != nil {
		return err
	}
	packages, err := outside.Packages(ctx, tree, r.out.Env, "./...")
	if err != nil {
		return err
	}
	packages = slices.DeleteFunc(packages, func(p outside.Package) bool { return !p.Command || internal(p.Path) })
	if len(packages) == 0 {
		fmt.Fprintf(r.stderr, "release: %s has no command, there are only notes\n", m.Dir)
		return nil
	}
	cyclonedx, err := r.build(ctx, r.root, pinned.CycloneDX, r.temp)
	if err != nil {
		return err
	}
	seconds, err := git(ctx, r.ws.Root, "", "show", "--no-patch", "--format=%ct", r.commit)
	if err != nil {
		return err
	}
	unix, err := strconv.ParseInt(strings.TrimSpace(seconds), 10, 64)
	if err != nil {
		return err
	}
	for _, platform := range r.platforms {
		if err := r.step(platform.String(), func() error {
			return r.writePlatform(ctx, platform, tree, packages, cyclonedx, files, time.Unix(unix, 0).UTC())
		}); err != nil {
			return err
		}
	}
	return writeSums(files)
}

// internal reports whether a command is a part of a test or of the build, and
// none for users.
func internal(path string) bool {
	return slices.Contains(strings.Split(path, "/"), "internal")
}

func (r *release) writePlatform(ctx context.Context, p workspace.Platform, tree string, packages []outside.Package, cyclonedx, files string, modified time.Time) error {
	gopath := filepath.Join(r.temp, "gopath")
	// GOBIN is refused for other platforms than this.
	env := append(slices.Clone(r.out.Env), "GOOS="+p.OS, "GOARCH="+p.Arch, "CGO_ENABLED=0", "GOPATH="+gopath, "GOBIN=")
	bin := filepath.Join(gopath, "bin", p.OS+"_"+p.Arch)
	if p.OS == runtime.GOOS && p.Arch == runtime.GOARCH {
		bin = filepath.Join(gopath, "bin")
	}
	install := []string{"install", "-trimpath"}
	for _, command := range packages {
		install = append(install, command.Path+"@"+r.version)
	}
	if _, err := outside.Go(ctx, r.temp, env, install...); err != nil {
		return err
	}
	for _, command := range packages {
		exe := path.Base(command.Path)
		if p.OS == "windows" {
			exe += ".exe"
		}
		name := filepath.Join(files, fmt.Sprintf("%s_%s_%s_%s", path.Base(command.Path), r.version, p.OS, p.Arch))
		content := []packed{{exe, filepath.Join(bin, exe), 0o755}}
		for _, doc := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
			content = append(content, packed{doc, filepath.Join(tree, doc), 0o644})
		}
		if err := archive(name, p.OS == "windows", content, modified); err != nil {
			return err
		}
		// Licences are looked up in the module cache, which has every module.
		if _, err := outside.Run(ctx, r.temp, r.out.Env, cyclonedx, "bin", "-json", "-std", "-licenses", "-noserial", "-notimestamp",
			"-version", r.version, "-output", name+".cdx.json", filepath.Join(bin, exe)); err != nil {
			return err
		}
	}
	return nil
}

// packed is a file of an archive.
type packed struct {
	name string
	from string
	mode int64
}

// archive writes NAME.zip, or NAME.tar.gz.
func archive(name string, zipped bool, content []packed, modified time.Time) (err error) {
	name += ".tar.gz"
	if zipped {
		name = strings.TrimSuffix(name, ".tar.gz") + ".zip"
	}
	w, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if zipped {
		z := zip.NewWriter(w)
		for _, f := range content {
			header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: modified}
			header.SetMode(os.FileMode(f.mode))
			to, err := z.CreateHeader(header)
			if err != nil {
				return err
			}
			if err := copyFrom(to, f.from); err != nil {
				return err
			}
		}
		return z.Close()
	}
	compressed := gzip.NewWriter(w)
	t := tar.NewWriter(compressed)
	for _, f := range content {
		info, err := os.Stat(f.from)
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: info.Size(), ModTime: modified}); err != nil {
			return err
		}
		if err := copyFrom(t, f.from); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), compressed.Close())
}

func copyFrom(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func writeSums(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range names {
		hash := sha256.New()
		if err := copyFrom(hash, filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", hash.Sum(nil), entry.Name())
	}
	return os.WriteFile(filepath.Join(dir, sumsFile), []byte(sums.String()), 0o666)
}
