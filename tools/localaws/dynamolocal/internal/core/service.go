// Package core implements DynamoDB in memory: tables, indexes, items and
// transactions. It does not depend on HTTP or on the encoding of requests.
//
// It has no goroutines and no timers. What is due, such as a table that becomes
// ACTIVE, is done at the next call.
package core

import (
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Account is the ID of the account in ARNs.
const Account = "000000000000"

// Config configures a Service.
type Config struct {
	// TransitionDelay is how long a table or index stays CREATING, UPDATING or
	// DELETING; 0 means that no caller ever sees these.
	TransitionDelay time.Duration
	// StaysCreating reports whether a fault keeps a table and its indexes
	// CREATING. Required.
	StaysCreating func(table string) bool
}

// Service has the tables. Its methods may be called concurrently. AsError converts
// their errors to type *Error.
type Service struct {
	config Config

	mu     sync.Mutex
	tables map[string]*table
	tokens map[string]completedTransaction
}

// New returns a Service without tables.
func New(config Config) *Service {
	return &Service{config: config, tables: make(map[string]*table), tokens: make(map[string]completedTransaction)}
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

// maxTags is the most tags of a table.
const maxTags = 50

// SetTags adds tags to a table and removes others.
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

// TimeToLive returns the name of the attribute that says when an item expires, ""
// for none. Items do not expire here.
func (s *Service) TimeToLive(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.table(name, time.Now())
	if err != nil {
		return "", err
	}
	return t.ttl, nil
}

// SetTimeToLive enables or disables expiry.
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

// Recovery returns the setting of point-in-time recovery: whether it is enabled,
// and since when. Nothing can be restored here.
func (s *Service) Recovery(name string) (on bool, since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.backedUp(name)
	if err != nil {
		return false, time.Time{}, err
	}
	return t.recovery, t.since, nil
}

// SetRecovery enables or disables point-in-time recovery.
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

// backedUp returns a table that can have backups.
func (s *Service) backedUp(name string) (*table, error) {
	now := time.Now()
	t := s.settle(name, now)
	switch {
	case t == nil:
		return nil, errorf("TableNotFoundException", "Table not found: %s", name)
	case t.status.at(now) == Creating:
		return nil, errorf(BackupsUnavailable, "Backups are being enabled for the table: %s. Please retry later", name)
	}
	return t, nil
}
