// Package core is a DynamoDB in memory: tables, indexes, items and
// transactions. It knows nothing of HTTP or of how requests are written.
//
// It has no goroutine and no timer: what is due, such as a table that becomes
// ACTIVE, happens when somebody next looks.
package core

import (
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Account is the ID in ARNs.
const Account = "000000000000"

// Config says how a Service behaves.
type Config struct {
	// TransitionDelay is how long a table or an index stays CREATING, UPDATING
	// or DELETING; 0 means that no caller ever sees these.
	TransitionDelay time.Duration
	// StaysCreating tells whether a fault keeps a table and its indexes
	// CREATING.
	StaysCreating func(table string) bool
}

// Service holds the tables. Its methods may be called concurrently; their
// errors are of type *Error, but for those of values and expressions, which
// AsError turns into it.
type Service struct {
	config Config

	mu     sync.Mutex
	tables map[string]*table
	tokens map[string]done
}

// New returns a Service without tables.
func New(config Config) *Service {
	return &Service{config: config, tables: make(map[string]*table), tokens: make(map[string]done)}
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Tags returns the tags of a table.
func (s *Service) Tags(name string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(name, time.Now())
	if err != nil {
		return nil, err
	}
	return maps.Clone(t.TableConfig.Tags), nil
}

// maxTags is how many a table has at most.
const maxTags = 50

// SetTags adds tags to a table and takes others from it.
func (s *Service) SetTags(name string, add map[string]string, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(name, time.Now())
	if err != nil {
		return err
	}
	next := maps.Clone(t.TableConfig.Tags)
	if next == nil {
		next = make(map[string]string)
	}
	maps.Copy(next, add)
	for _, key := range remove {
		delete(next, key)
	}
	if len(next) > maxTags {
		return invalidf("One or more parameter values were invalid: Too many tags: a table has at most %d", maxTags)
	}
	t.TableConfig.Tags = next
	return nil
}

// TimeToLive returns the attribute that says when an item expires, "" for
// none. Nothing expires here.
func (s *Service) TimeToLive(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(name, time.Now())
	if err != nil {
		return "", err
	}
	return t.ttl, nil
}

// SetTimeToLive turns expiry on or off.
func (s *Service) SetTimeToLive(name, attribute string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(name, time.Now())
	if err != nil {
		return err
	}
	switch {
	case on && t.ttl != "":
		return invalidf("TimeToLive is already enabled")
	case !on && t.ttl == "":
		return invalidf("TimeToLive is already disabled")
	case !on && t.ttl != attribute:
		return invalidf("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.ttl)
	case on:
		t.ttl = attribute
	default:
		t.ttl = ""
	}
	return nil
}

// Recovery tells whether a table can be restored to a point in time, and since
// when. Nothing can be restored here.
func (s *Service) Recovery(name string) (on bool, since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.backedUp(name)
	if err != nil {
		return false, time.Time{}, err
	}
	return t.recovery, t.since, nil
}

// SetRecovery turns recovery on or off.
func (s *Service) SetRecovery(name string, on bool) (since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.backedUp(name)
	if err != nil {
		return time.Time{}, err
	}
	if on && !t.recovery {
		t.since = time.Now()
	}
	t.recovery = on
	return t.since, nil
}

func (s *Service) backedUp(name string) (*table, error) {
	now := time.Now()
	t := s.lookup(name, now)
	switch {
	case t == nil:
		return nil, errorf("TableNotFoundException", "Table not found: %s", name)
	case t.status.at(now) == Creating:
		return nil, errorf(BackupsUnavailable, "Backups are being enabled for the table: %s. Please retry later", name)
	}
	return t, nil
}
