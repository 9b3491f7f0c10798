// Package children serves each conversation of package engine by a child process:
// its standard input gets what Java writes, and what it writes to its standard
// output goes back. One that fails is replaced while the others go on.
package children

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// A Config says what Run runs.
type Config struct {
	// Engine is for Java. Serve is Run's own; Kill ends the children too.
	Engine engine.Config
	// Program is the command of a child.
	Program []string
	// Timeout is how long a child may take to answer a message; 0 means for ever.
	Timeout time.Duration
	// StopTimeout is how long a stop may take until all is killed; 0 means that
	// Java and then each child have their own limits.
	StopTimeout time.Duration
	// Stderr gets what children write to their standard error, and to their
	// standard output beside the messages, in whole lines. It is written to by
	// several goroutines. One that blocks holds up the children that write, but no
	// kill: then a write may still go on when Run returns.
	Stderr io.Writer
}

// Run runs Java, and a child for each conversation, as [engine.Engine.Run] does.
// No process of a child is left when it returns, or the error wraps
// [bootstrap.ErrSurvivors].
func Run(ctx context.Context, c Config) error {
	runCtx, end := context.WithCancel(ctx)
	defer end()
	kill := make(chan struct{})
	h := newHost(runCtx, c, kill)
	var late bool // written before kill is closed
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		stop, killed := ctx.Done(), c.Engine.Kill
		var timeout <-chan time.Time
		for {
			select {
			case <-stop:
				stop = nil
				if c.StopTimeout > 0 {
					timeout = time.After(c.StopTimeout)
				}
				continue
			case <-timeout:
				late = true
			case <-killed:
			case <-ended:
				return
			}
			close(kill)
			return
		}
	}()
	config := c.Engine
	config.Kill = kill
	config.Serve = func(lease *engine.Lease) error { return h.serve(lease, lease) }
	config.Event = func(e engine.Event) {
		h.event(e)
		if c.Engine.Event != nil {
			c.Engine.Event(e)
		}
	}
	e := engine.New(config)
	h.read, h.gone = e.Read, e.Done()
	err := e.Run(ctx)
	close(ended)
	<-watched
	var exit *bootstrap.ExitError
	if late && errors.As(err, &exit) && exit.Killed {
		exit.Killed, exit.Reason = false, "it was killed after "+c.StopTimeout.String()
	}
	if h.survived() {
		return fmt.Errorf("record processors: %w", bootstrap.ErrSurvivors)
	}
	return err
}

// A host has the children of one Java.
type host struct {
	config Config
	ctx    context.Context // ends with a stop, and with Run
	kill   <-chan struct{}
	log    *slog.Logger
	read   func(leaseKey string) // as Engine.Read
	gone   <-chan struct{}       // as Engine.Done
	leave  time.Duration         // how long a child may take to leave at the end of its input
	killed func(*child) bool     // tells, within killTime, whether all of a killed child has gone

	mu        sync.Mutex
	shards    map[string]*shard  // by lease key: those with a session or a failure
	sessions  map[int64]*session // by a conversation's ID
	survivors bool
}

// A shard is what goes on from one conversation about it to the next. host.mu
// guards it.
type shard struct {
	newest  *session
	backoff engine.Backoff
}

func newHost(ctx context.Context, c Config, kill <-chan struct{}) *host {
	h := &host{
		config: c, ctx: ctx, kill: kill, log: c.Engine.Log, leave: 5 * time.Second, killed: (*child).killed,
		shards: make(map[string]*shard), sessions: make(map[int64]*session),
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// serve serves a conversation. Its error says that the child has failed.
func (h *host) serve(lease *engine.Lease, c conversation) error {
	s := &session{host: h, lease: lease, c: c, cut: make(chan struct{}), ended: make(chan struct{})}
	before := h.claim(s)
	if before != nil {
		<-before.ended // no two children work on a shard
	}
	var err error
	if before != nil && h.survived() { // in a stop, or Java has gone
		err = bootstrap.ErrSurvivors
	} else {
		err = s.run()
	}
	close(s.ended)
	time.AfterFunc(time.Minute, func() { h.drop(s) })
	if err != nil {
		go h.again(s, err)
		return err
	}
	h.release(s)
	return nil
}

// claim makes s the newest session of its shard, and returns the one before, nil
// for none.
func (h *host) claim(s *session) (before *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[s.lease.ID] = s
	s.shard = h.shards[s.lease.LeaseKey]
	if s.shard == nil {
		s.shard = &shard{}
		h.shards[s.lease.LeaseKey] = s.shard
	}
	before, s.shard.newest = s.shard.newest, s
	return before
}

// release forgets a session's shard, unless KCL found the conversation broken:
// its next failure is a first one.
func (h *host) release(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.shard.newest == s && !s.broken {
		delete(h.shards, s.lease.LeaseKey)
	}
}

// drop forgets a session of which KCL has nothing more to say.
func (h *host) drop(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s.lease.ID)
}

// event takes what concerns the children.
func (h *host) event(e engine.Event) {
	switch e := e.(type) {
	case engine.Leases:
		h.mu.Lock()
		defer h.mu.Unlock()
		for key, shard := range h.shards {
			if !slices.Contains(e.LeaseKeys, key) && shard.newest.hasEnded() {
				delete(h.shards, key)
			}
		}
	case engine.LeaseBroken:
		if !h.broken(e) { // the connection could not be made
			time.AfterFunc(time.Second, func() { h.read(e.LeaseKey) })
			h.log.Warn("KCL could not begin with a shard, trying again", "shard", e.LeaseKey, "reason", e.Reason)
		}
	}
}

// broken ends a session that KCL found broken. It returns false if there is none.
func (h *host) broken(e engine.LeaseBroken) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[e.Lease]
	if s != nil && !s.failed && !s.broken { // else it was the end of the child that broke it
		s.broken = true
		close(s.cut)
		if h.shards[e.LeaseKey] == nil {
			h.shards[e.LeaseKey] = s.shard
		}
		go func() {
			<-s.ended
			h.again(s, errors.New("KCL broke the conversation off: "+e.Reason))
		}()
	}
	return s != nil
}

// again has KCL read the shard of a session that has failed again, after a while.
func (h *host) again(s *session, failure error) {
	key := s.lease.LeaseKey
	h.mu.Lock()
	overtaken := s.shard.newest != s // which sees to the shard now
	stopping := h.over()
	var delay time.Duration
	if !overtaken && !stopping {
		delay = s.shard.backoff.Next(s.worked)
	}
	h.mu.Unlock()
	log := h.log.With("stream", s.lease.Stream, "shard", s.lease.ShardID, "reason", failure)
	switch {
	case stopping:
		log.Warn("a record processor has failed at the end")
		return
	case overtaken:
		// The shard that is held back now is the newer conversation's, which ends
		// in order and sees nothing of that.
		log.Warn("a record processor has failed")
	default:
		log.Warn("a record processor has failed", "startsAgainIn", delay.Round(100*time.Millisecond))
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		h.read(key)
	case <-h.ctx.Done():
	}
}

// over tells whether no shard is to be read again.
func (h *host) over() bool { return h.ctx.Err() != nil || await(h.gone, 0) }

func (h *host) survived() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.survivors
}
