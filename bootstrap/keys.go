package bootstrap

import (
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// knownKeys are the properties that one version of the daemon reads, with their types
// and effects.
type knownKeys struct {
	known map[string]knownKey
	// providers are the credentials providers that the daemon can create, by each name of
	// the class.
	providers map[string]knownProvider
	// builders are the properties of a provider that CLIENTCredentialsProvider.class
	// names, by the full name of the class.
	builders map[string][]string
	regions  []string // sorted
}

// A knownProvider has the minimum and maximum number of a provider's arguments; with more the
// daemon creates it without any. -1 means no limit.
type knownProvider struct{ least, most int }

// A knownKey is the type of a property, and when it is ignored.
type knownKey struct {
	typ keyType
	// ignored: it is always ignored.
	ignored bool
	// zeroIgnored: 0 or false means unset. zeroDefault is the value that is used then, or
	// empty if it depends on others.
	zeroIgnored bool
	zeroDefault string
	// only is the one retrieval mode in which it is not ignored, if there is one.
	only string
	// chooses: it chooses that mode if no retrieval mode is named; choosesAny: even with
	// the value 0.
	chooses, choosesAny bool
}

//go:embed locks/multilang-daemon-3.1.3.keys
var daemonKeysText []byte

// daemonKeys returns the keys of MultiLangDaemon 3.1.3, made from the classes of DaemonLock.
var daemonKeys = sync.OnceValue(func() *knownKeys {
	keys, err := parseKeys(daemonName, daemonKeysText)
	if err != nil {
		// Part of the binary, and parsed by a test: it cannot happen.
		panic(err)
	}
	return keys
})

// parseKeys reads the keys of a daemon. Each line has the name of a property and its
// type, separated by spaces:
//
//   - string, strings (separated by commas), boolean, int (32 bits), long (64),
//     parsed-int (32 bits, and no space beside it), double, duration (ISO 8601),
//     seconds (since 1970), tags (NAME=VALUE,...), enum:A,B,... in capital
//     letters, providers (of credentials: CLASS|ARGUMENT...,...), object (no text
//     can stand for it), any;
//   - then possibly "ignored": it is ignored;
//   - "only=MODE": it is ignored in other retrieval modes;
//   - "chooses=nonzero" or "chooses=any": if no mode is named, and it is set (not to 0, or
//     to anything), the daemon uses that mode;
//   - "zero-ignored" or "zero-ignored=D": 0 or false means unset, and D is used.
//
// A name that ends in .* stands for all names with this prefix, if the property that ends in
// .class instead is set. A line "provider:CLASS class" names a credentials provider that the
// daemon can create, with "arguments=N" if it takes at least N, "most=N" if it takes at most
// N, and "takes=A,B,..." for the properties of its builder. A line "regions A,B,..." names the
// regions that the daemon's AWS SDK knows. Empty lines and lines that start with # are
// ignored. The error names the daemon and the line.
func parseKeys(name string, text []byte) (*knownKeys, error) {
	keys := &knownKeys{known: make(map[string]knownKey), providers: make(map[string]knownProvider), builders: make(map[string][]string)}
	for i, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := keys.parseLine(fields); err != nil {
			return nil, fmt.Errorf("keys of %s, line %d: %w", name, i+1, err)
		}
	}
	return keys, nil
}

func (k *knownKeys) parseLine(fields []string) error {
	if len(fields) < 2 {
		return errors.New("a name and a type are needed")
	}
	name, typ, words := fields[0], fields[1], fields[2:]
	if provider, ok := strings.CutPrefix(name, "provider:"); ok {
		return k.parseProvider(provider, typ, words)
	}
	if name == "regions" {
		k.regions = strings.Split(typ, ",")
		return nil
	}
	if _, ok := k.known[name]; ok {
		return errors.New(name + " is named twice")
	}
	var key knownKey
	var ok bool
	if key.typ, ok = parseKeyType(typ); !ok {
		return errors.New("unknown type " + typ)
	}
	for _, word := range words {
		switch flag, value, _ := strings.Cut(word, "="); {
		case word == "ignored":
			key.ignored = true
		case flag == "zero-ignored":
			key.zeroIgnored, key.zeroDefault = true, value
		case flag == "only" && value != "":
			key.only = value
		case word == "chooses=nonzero":
			key.chooses = true
		case word == "chooses=any":
			key.chooses, key.choosesAny = true, true
		default:
			return errors.New("unknown word " + word)
		}
	}
	k.known[name] = key
	return nil
}

func (k *knownKeys) parseProvider(name, typ string, words []string) error {
	if _, ok := k.providers[name]; ok {
		return errors.New(name + " is named twice")
	}
	if typ != "class" {
		return errors.New("unknown type " + typ)
	}
	p := knownProvider{most: -1}
	for _, word := range words {
		flag, value, _ := strings.Cut(word, "=")
		if flag == "takes" {
			k.builders[name] = strings.Split(value, ",")
			continue
		}
		n, err := strconv.Atoi(value)
		switch {
		case err != nil || n < 0:
			return errors.New("unknown word " + word)
		case flag == "arguments":
			p.least = n
		case flag == "most":
			p.most = n
		default:
			return errors.New("unknown word " + word)
		}
	}
	k.providers[name] = p
	return nil
}

// lookup finds a property by its name, as the daemon does.
func (k *knownKeys) lookup(name string) (knownKey, bool) {
	if key, ok := k.known[normalName(name)]; ok {
		return key, true
	}
	if group := k.group(name); group != "" {
		return k.known[group+".*"], true
	}
	return knownKey{}, false
}

// group returns the prefix of a property that is known only by its prefix, else "".
func (k *knownKeys) group(name string) string {
	if _, ok := k.known[normalName(name)]; ok {
		return ""
	}
	for i := strings.LastIndexByte(name, '.'); i >= 0; i = strings.LastIndexByte(name[:i], '.') {
		if _, ok := k.known[name[:i]+".*"]; ok {
			return name[:i]
		}
	}
	return ""
}

// credentialsPrefix is the one part of a name that is not case-sensitive.
const credentialsPrefix = "awsCredentialsProvider"

// normalName returns the name by which the daemon knows a property.
func normalName(name string) string {
	if n := len(credentialsPrefix); len(name) >= n && strings.EqualFold(name[:n], credentialsPrefix) {
		return credentialsPrefix + name[n:]
	}
	return name
}

// meant returns the known name that is most similar to an unknown one, or "".
func (k *knownKeys) meant(name string) string {
	return nearest(name, slices.Values(append(slices.Collect(maps.Keys(k.known)), streamsProperty)))
}

// nearest returns the candidate that is most similar to a name, or "".
func nearest(name string, candidates iter.Seq[string]) string {
	best, distance := "", max(2, len(name)/4)+1
	for candidate := range candidates {
		if strings.HasSuffix(candidate, ".*") {
			continue
		}
		d := editDistance(strings.ToLower(name), strings.ToLower(candidate))
		if d < distance || d == distance && candidate < best {
			best, distance = candidate, d
		}
	}
	return best
}

// editDistance returns how many characters must be inserted, deleted, replaced or swapped
// with the next one to turn a into b.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// A keyType is the type of a value.
type keyType struct {
	name   string
	values []string // of an enum
}

func parseKeyType(text string) (keyType, bool) {
	if values, ok := strings.CutPrefix(text, "enum:"); ok {
		return keyType{name: "enum", values: strings.Split(values, ",")}, values != ""
	}
	switch text {
	case "string", "strings", "boolean", "int", "long", "parsed-int", "double", "duration", "seconds", "tags", "providers", "object", "any":
		return keyType{name: text}, true
	}
	return keyType{}, false
}

// javaTrim trims a value as Java's trim does: ASCII spaces and all control characters.
func javaTrim(value string) string {
	return strings.TrimFunc(value, func(r rune) bool { return r <= ' ' })
}

// What Java's parsers accept.
var (
	javaDouble   = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?$`)
	javaDuration = regexp.MustCompile(`(?i)^\+?P(\+?[0-9]+D)?(T(\+?[0-9]+H)?(\+?[0-9]+M)?(\+?[0-9]+([.,][0-9]{0,9})?S)?)?$`)
)

// wrong says what is wrong with a value, or "". The daemon would silently read a wrong one as
// 0 or false, or fail.
func (t keyType) wrong(value string) string {
	trimmed := javaTrim(value)
	switch t.name {
	case "parsed-int":
		if _, err := strconv.ParseInt(value, 10, 32); err != nil {
			return withSpace(value, fmt.Sprintf("%q is not a whole number up to %d", value, math.MaxInt32))
		}
	case "int", "long":
		bits := map[string]int{"int": 32, "long": 64}[t.name]
		if n, err := strconv.ParseInt(trimmed, 10, bits); err != nil {
			return fmt.Sprintf("%q is not a whole number up to %d", value, uint64(math.MaxUint64)>>(65-bits))
		} else if n < 0 {
			return fmt.Sprintf("%q is below 0", value)
		}
	case "double":
		if !javaDouble.MatchString(trimmed) {
			return fmt.Sprintf("%q is not a number", value)
		} else if trimmed[0] == '-' {
			return fmt.Sprintf("%q is below 0", value)
		}
	case "boolean":
		if _, ok := parseBoolean(value); !ok {
			return withSpace(value, fmt.Sprintf("%q is neither true nor false", value))
		}
	case "enum":
		for _, v := range t.values {
			if strings.EqualFold(value, v) {
				return ""
			}
		}
		return withSpace(value, fmt.Sprintf("%q is not one of %s", value, strings.Join(t.values, ", ")))
	case "duration":
		if !javaDuration.MatchString(trimmed) || strings.HasSuffix(strings.ToUpper(trimmed), "T") || strings.EqualFold(strings.TrimPrefix(trimmed, "+"), "P") {
			return fmt.Sprintf("%q is not a duration such as PT5M or P1D", value)
		}
	case "seconds":
		n, err := strconv.ParseInt(value, 10, 64)
		now := time.Now().Unix()
		switch {
		case err != nil || n < 0:
			return withSpace(value, fmt.Sprintf("%q is not a number of seconds since 1970", value))
		case n > now && n/1000 >= year2000 && n/1000 <= now:
			return fmt.Sprintf("%d is in milliseconds, but the daemon reads it as seconds since 1970: write %d", n, n/1000)
		case n > now:
			return fmt.Sprintf("%d is in the future: AWS refuses that, and the daemon reads nothing", n)
		}
	case "tags":
		for pair := range strings.SplitSeq(trimmed, ",") {
			pair = javaTrim(pair)
			parts := strings.Split(strings.TrimRight(pair, "="), "=")
			switch {
			case pair == "":
			case len(parts) != 2 || javaTrim(parts[0]) == "":
				return "it is not a list of NAME=VALUE,NAME=VALUE"
			case len(parts[0]) > 128 || len(parts[1]) > 256 || strings.HasPrefix(strings.ToLower(parts[0]), "aws:"):
				return "AWS refuses a tag whose name is longer than 128 or begins with aws:, or whose value is longer than 256"
			}
		}
	case "object":
		return "it is a Java object, which no text can set"
	}
	return ""
}

// year2000 is in seconds since 1970. All streams are younger.
const year2000 = 946_684_800

// withSpace adds an invisible reason: a space.
func withSpace(value, text string) string {
	if strings.TrimSpace(value) != value {
		return text + ", because of a space at its start or end"
	}
	return text
}

// parseBoolean accepts what the daemon accepts.
func parseBoolean(value string) (b, ok bool) {
	switch strings.ToLower(value) {
	case "true", "yes", "y", "on", "1":
		return true, true
	case "false", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}

// isZero reports whether a value is the 0 or false of its type.
func (t keyType) isZero(value string) bool {
	switch t.name {
	case "int", "long", "double":
		f, err := strconv.ParseFloat(strings.TrimRight(javaTrim(value), "fFdD"), 64)
		return err == nil && f == 0
	case "boolean":
		b, ok := parseBoolean(value)
		return ok && !b
	}
	return false
}
