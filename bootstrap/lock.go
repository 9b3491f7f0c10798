package bootstrap

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// A Coordinate names one file of a Maven repository.
type Coordinate struct {
	Group      string // for example software.amazon.kinesis
	Artifact   string // for example amazon-kinesis-client
	Extension  string // jar unless another one is named
	Classifier string // for example linux-x86_64, or empty
	Version    string // for example 3.1.3
}

// String returns the coordinate as Maven writes it:
// group:artifact:version for a jar without a classifier, else
// group:artifact:extension[:classifier]:version.
func (c Coordinate) String() string {
	switch {
	case c.Classifier != "":
		return strings.Join([]string{c.Group, c.Artifact, c.Extension, c.Classifier, c.Version}, ":")
	case c.Extension != "jar":
		return strings.Join([]string{c.Group, c.Artifact, c.Extension, c.Version}, ":")
	default:
		return strings.Join([]string{c.Group, c.Artifact, c.Version}, ":")
	}
}

// Path returns where the file lies below the root of a Maven repository,
// with forward slashes, for example
// ch/qos/logback/logback-core/1.3.14/logback-core-1.3.14.jar.
func (c Coordinate) Path() string {
	name := c.Artifact + "-" + c.Version
	if c.Classifier != "" {
		name += "-" + c.Classifier
	}
	return path.Join(strings.ReplaceAll(c.Group, ".", "/"), c.Artifact, c.Version, name+"."+c.Extension)
}

// An Artifact is one file of a Lock: its place in a repository and what it must contain.
type Artifact struct {
	Coordinate
	SHA256 [32]byte // of the content
	Size   int64    // bytes, more than 0
}

// A Lock is a list of files with their sizes and hashes, as in a lock file: it is all that
// Fetch trusts. This package does not change it, so it may be shared.
type Lock struct {
	// Name names the files in messages, for example "MultiLangDaemon 3.1.3".
	Name string
	// Artifacts are the files in the order of the lock's lines, at least one.
	Artifacts []Artifact
}

// Size returns the sum of the files' sizes in bytes.
func (l *Lock) Size() int64 {
	var n int64
	for _, a := range l.Artifacts {
		n += a.Size
	}
	return n
}

// maxArtifactSize prevents that a typing error in a lock fills a disk. The largest jar that
// is known to be used with KCL has 80 MB.
const maxArtifactSize = 4 << 30

// ParseLock reads a lock. Each line has three fields, separated by white space:
//
//	coordinate sha256 size
//
// The coordinate is group:artifact:version for a jar, or
// group:artifact:extension[:classifier]:version; the hash is 64 lower-case
// hexadecimal digits; the size is in bytes. Empty lines are ignored, and so is everything
// after a # at the start of a line or after white space.
//
// A coordinate cannot lead out of the folder into which the files are put: its parts have
// only letters, digits and ._+-, and no two dots in a row. A file that is named twice is an
// error. The error names the lock and the line.
func ParseLock(name string, text []byte) (*Lock, error) {
	lock := &Lock{Name: name}
	seen := make(map[string]int)
	err := lockLines(name, text, func(line int, fields []string) error {
		a, err := parseArtifact(fields)
		if err != nil {
			return err
		}
		// Lower case: on the file systems of Windows and macOS two paths
		// that differ in case are one file.
		key := strings.ToLower(a.Path())
		if first, ok := seen[key]; ok {
			return fmt.Errorf("%s is on line %d already", a.Coordinate, first)
		}
		seen[key] = line
		lock.Artifacts = append(lock.Artifacts, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lock, nil
}

// lockLines calls take with the fields of each line that has fields. There must be one.
func lockLines(name string, text []byte, take func(line int, fields []string) error) error {
	empty := true
	for i, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		for j, f := range fields {
			if strings.HasPrefix(f, "#") {
				fields = fields[:j]
				break
			}
		}
		if len(fields) == 0 {
			continue
		}
		empty = false
		if err := take(i+1, fields); err != nil {
			return fmt.Errorf("lock of %s, line %d: %w", name, i+1, err)
		}
	}
	if empty {
		return fmt.Errorf("lock of %s: it names no file", name)
	}
	return nil
}

func parseArtifact(fields []string) (Artifact, error) {
	var a Artifact
	if len(fields) != 3 {
		return a, fmt.Errorf("%d fields, want 3: coordinate, sha256, size", len(fields))
	}
	c, err := parseCoordinate(fields[0])
	if err != nil {
		return a, err
	}
	a.Coordinate = c
	if a.SHA256, err = parseSum(fields[1]); err != nil {
		return a, fmt.Errorf("%s: %w", c, err)
	}
	// ParseUint takes neither a sign nor an underscore in base 10.
	size, err := strconv.ParseUint(fields[2], 10, 63)
	if err != nil || size == 0 || size > maxArtifactSize {
		return a, fmt.Errorf("%s: the size is not a number of bytes from 1 to %d", c, int64(maxArtifactSize))
	}
	a.Size = int64(size)
	return a, nil
}

func parseSum(text string) (sum [32]byte, err error) {
	decoded, err := hex.DecodeString(text)
	if err != nil || len(decoded) != len(sum) || strings.ToLower(text) != text {
		return sum, errors.New("the SHA-256 is not 64 lower-case hexadecimal digits")
	}
	return [32]byte(decoded), nil
}

func parseCoordinate(text string) (Coordinate, error) {
	parts := strings.Split(text, ":")
	c := Coordinate{Extension: "jar"}
	switch len(parts) {
	case 3:
		c.Group, c.Artifact, c.Version = parts[0], parts[1], parts[2]
	case 4:
		c.Group, c.Artifact, c.Extension, c.Version = parts[0], parts[1], parts[2], parts[3]
	case 5:
		c.Group, c.Artifact, c.Extension, c.Classifier, c.Version = parts[0], parts[1], parts[2], parts[3], parts[4]
	default:
		return c, fmt.Errorf("coordinate %q: want group:artifact:version or group:artifact:extension[:classifier]:version", text)
	}
	for _, p := range parts {
		if err := checkCoordinatePart(p); err != nil {
			return c, fmt.Errorf("coordinate %q: %w", text, err)
		}
	}
	return c, nil
}

// checkCoordinatePart accepts only a part that is a plain file name on every system, and for
// a group a path of plain folder names.
func checkCoordinatePart(p string) error {
	if p == "" {
		return errors.New("a part is empty")
	}
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case (c == '-' || c == '+') && i > 0:
		case c == '.' && i > 0 && i < len(p)-1 && p[i-1] != '.':
		default:
			return fmt.Errorf("%q at byte %d of the part %q is not allowed", c, i, p)
		}
	}
	return nil
}
