package bootstrap

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// javaRuntimeVersion is the version of the Java of DefaultJavaLock.
const javaRuntimeVersion = "25.0.4.1"

// TestJavaLock makes it, and says how.
//
//go:embed locks/java-25.0.4.1.lock
var javaLockText []byte

var javaLock = sync.OnceValue(func() *JavaLock {
	lock, err := ParseJavaLock("Java "+javaRuntimeVersion, javaLockText)
	if err != nil {
		// Part of the binary, and parsed by a test: it cannot happen.
		panic(err)
	}
	return lock
})

// DefaultJavaLock returns the lock that is part of this package, of Java 25: Eclipse
// Temurin without the modules for developers, for Linux with glibc and macOS on x86-64 and
// 64-bit ARM, and for Windows on x86-64. It is the same value at each call.
func DefaultJavaLock() *JavaLock { return javaLock() }

// A JavaLock names a Java runtime for each platform, with its hashes: it is all that
// FetchJava trusts. This package does not change it, so it may be shared.
type JavaLock struct {
	// Name names the runtime in messages, for example "Java 25.0.4.1".
	Name     string
	runtimes map[string]javaRuntime // by platform
}

// A javaRuntime is a Java for one platform, in a wheel.
type javaRuntime struct {
	platform string
	wheel    Artifact
	manifest [32]byte // the SHA-256 of the manifest that unpacking the wheel makes
}

// folder is the folder of the runtime in the cache, beside its wheel. Locks with the same
// wheel and another manifest have different folders.
func (r javaRuntime) folder() string {
	return path.Join(path.Dir(r.wheel.Path()), fmt.Sprintf("%s-%x", r.platform, r.manifest[:4]))
}

// project is the name of the wheel's project in a package index.
func (r javaRuntime) project() string {
	return strings.ToLower(projectSeparators().ReplaceAllString(r.wheel.Artifact, "-"))
}

var projectSeparators = compiled(`[-_.]+`)

// ParseJavaLock reads a lock of Java runtimes. Each line has five fields, separated by
// white space:
//
//	platform wheel sha256 size manifest-sha256
//
// The platform is Go's GOOS and GOARCH, such as linux-amd64. The wheel is a coordinate as in
// ParseLock: a file with the name project-version-tags.whl has the coordinate
// java:project:whl:tags:version. sha256 and size, in bytes, are those of the file. The last
// field is the SHA-256 of the manifest of the runtime in it. Comments and the limits of
// coordinates are those of ParseLock.
func ParseJavaLock(name string, text []byte) (*JavaLock, error) {
	lock := &JavaLock{Name: name, runtimes: make(map[string]javaRuntime)}
	err := lockLines(name, text, func(_ int, fields []string) (err error) {
		if len(fields) != 5 {
			return fmt.Errorf("%d fields, want 5: platform, wheel, sha256, size, manifest", len(fields))
		}
		r := javaRuntime{platform: fields[0]}
		if err := checkCoordinatePart(r.platform); err != nil {
			return fmt.Errorf("platform %q: %w", r.platform, err)
		}
		if _, ok := lock.runtimes[r.platform]; ok {
			return fmt.Errorf("%s is named twice", r.platform)
		}
		if r.wheel, err = parseArtifact(fields[1:4]); err != nil {
			return err
		}
		if r.wheel.Extension != "whl" || r.wheel.Classifier == "" {
			return fmt.Errorf("%s is not a wheel", r.wheel.Coordinate)
		}
		if r.manifest, err = parseSum(fields[4]); err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		lock.runtimes[r.platform] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lock, nil
}

// runtimeFor returns the runtime for a platform.
func (l *JavaLock) runtimeFor(platform string) (javaRuntime, error) {
	r, ok := l.runtimes[platform]
	if !ok {
		return r, fmt.Errorf("%w: there is a %s for %s, not for %s; install Java 17 or later",
			errNoRuntime, l.Name, strings.Join(slices.Sorted(maps.Keys(l.runtimes)), ", "), platform)
	}
	return r, nil
}

// thisPlatform is the platform on which this process runs.
func thisPlatform() string { return runtime.GOOS + "-" + runtime.GOARCH }

// loaders are the programs that start a program linked with glibc, by platform.
var loaders = map[string]string{
	"linux-amd64": "/lib64/ld-linux-x86-64.so.2",
	"linux-arm64": "/lib/ld-linux-aarch64.so.1",
}

// checkLoader returns an error if this system cannot start the runtime at all.
func checkLoader(platform string) error {
	loader := loaders[platform]
	if loader == "" {
		return nil
	}
	if _, err := os.Stat(loader); err != nil {
		return fmt.Errorf("%w: it needs glibc, and this system has no %s; install Java 17 or later, on Alpine with apk add openjdk21-jre-headless",
			errNoRuntime, loader)
	}
	return nil
}

// manifestLine is a file in a runtime's manifest: its mode, SHA-256, size and path.
var manifestLine = regexp.MustCompile(`^(644|755) ([0-9a-f]{64}) ([0-9]+) (.+)$`)
