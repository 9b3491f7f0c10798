// Package children runs a child process for each conversation of package engine. The
// child reads Java's messages from its standard input, and what it writes to its
// standard output goes to Java. A child that fails is replaced; the others go on.
//
//	err := children.Run(ctx, children.Config{
//		Engine:  engine.Config{Command: command, StopGrace: 10 * time.Second},
//		Program: []string{"./consumer"},
//		Stderr:  os.Stderr,
//	})
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

// A Config configures Run. Engine, Program and Stderr are required.
type Config struct {
	// Engine is the configuration of Java. Run sets Serve; Kill kills the children too.
	Engine engine.Config
	// Program is the command of a child.
	Program []string
	// Timeout is how long a child may take to answer a message. 0 means no limit.
	Timeout time.Duration
	// StopTimeout is how long a stop may take before Java and all children are
	// killed. 0 means that only the limits of Java and then of each child apply.
	StopTimeout time.Duration
	// Stderr receives what children write to their standard error, and to their
	// standard output except for messages, in whole lines. Several goroutines write
	// to it. A write that blocks delays the children that write, but no kill: it may
	// still block when Run returns.
	Stderr io.Writer
}

// Run runs Java as [engine.Engine.Run] does, with a child for each conversation. When
// it returns, no process of a child is left, or the error wraps
// [bootstrap.ErrSurvivors].
func Run(ctx context.Context, c Config) error {
	runCtx, end := context.WithCancel(ctx)
	defer end()
	kill := make(chan struct{})
	h := newHost(runCtx, c, kill)
	var timedOut bool // written before kill is closed
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() { // closes kill
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
				timedOut = true
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
	h.resume, h.javaEnded = e.Resume, e.Done()
	err := e.Run(ctx)
	close(ended)
	<-watched
	var exit *bootstrap.ExitError
	if timedOut && errors.As(err, &exit) && exit.Killed {
		exit.Killed, exit.Reason = false, "it was killed after "+c.StopTimeout.String()
	}
	if h.hasSurvivors() {
		return fmt.Errorf("record processors: %w", bootstrap.ErrSurvivors)
	}
	return err
}

// A host has the children of one Java process.
type host struct {
	config      Config
	ctx         context.Context // ends at a stop, and with Run
	kill        <-chan struct{}
	log         *slog.Logger
	resume      func(leaseKey string) // Engine.Resume
	javaEnded   <-chan struct{}       // Engine.Done
	exitTime    time.Duration         // how long a child may take to exit after the end of its input
	awaitKilled func(*child) bool     // child.awaitKilled

	mu        sync.Mutex
	shards    map[string]*shard  // by lease key; those with a session, or whose last session failed
	sessions  map[int64]*session // by the conversation's ID
	survivors bool
}

// A shard has what remains from one conversation about a shard to the next. host.mu
// guards it.
type shard struct {
	newest  *session
	backoff engine.Backoff
}

func newHost(ctx context.Context, c Config, kill <-chan struct{}) *host {
	h := &host{
		config: c, ctx: ctx, kill: kill, log: c.Engine.Logger, exitTime: 5 * time.Second, awaitKilled: (*child).awaitKilled,
		shards: make(map[string]*shard), sessions: make(map[int64]*session),
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// serve serves a conversation. It returns an error if the child has failed.
func (h *host) serve(lease *engine.Lease, c conversation) error {
	s := newSession(h, lease, c)
	previous := h.begin(s)
	if previous != nil {
		<-previous.ended // a shard has one child at a time
	}
	var err error
	if previous != nil && h.hasSurvivors() { // at a stop, or after Java has ended
		err = bootstrap.ErrSurvivors
	} else {
		err = s.run()
	}
	close(s.ended)
	time.AfterFunc(time.Minute, func() { h.forgetSession(s) })
	if err != nil {
		go h.resumeLater(s, err)
		return err
	}
	h.forgetShard(s)
	return nil
}

// begin makes s the newest session of its shard. It returns the previous one, or nil.
func (h *host) begin(s *session) (previous *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[s.lease.ID] = s
	s.shard = h.shards[s.lease.LeaseKey]
	if s.shard == nil {
		s.shard = &shard{}
		h.shards[s.lease.LeaseKey] = s.shard
	}
	previous, s.shard.newest = s.shard.newest, s
	return previous
}

// forgetShard forgets the shard of a session that did not fail, so that its next
// failure is a first one. It does nothing if KCL found the conversation broken.
func (h *host) forgetShard(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.shard.newest == s && !s.broken {
		delete(h.shards, s.lease.LeaseKey)
	}
}

// forgetSession forgets a session that ended so long ago that no event about it is
// expected.
func (h *host) forgetSession(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s.lease.ID)
}

// event handles the events that concern children.
func (h *host) event(e engine.Event) {
	switch e := e.(type) {
	case engine.Leases:
		h.mu.Lock()
		defer h.mu.Unlock()
		for key, shard := range h.shards {
			if !slices.Contains(e.LeaseKeys, key) && isClosed(shard.newest.ended) {
				delete(h.shards, key)
			}
		}
	case engine.ConversationBroken:
		if !h.breakOff(e) { // the connection could not be made
			time.AfterFunc(time.Second, func() { h.resume(e.LeaseKey) })
			h.log.Warn("KCL could not begin to read a shard; trying again", "shard", e.LeaseKey, "reason", e.Reason)
		}
	}
}

// breakOff ends the session of a conversation that KCL found broken. It returns false
// if there is none.
func (h *host) breakOff(e engine.ConversationBroken) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[e.ID]
	if s != nil && !s.failed && !s.broken { // otherwise the end of the child broke it
		s.broken = true
		close(s.brokenOff)
		if h.shards[e.LeaseKey] == nil {
			h.shards[e.LeaseKey] = s.shard
		}
		go func() {
			<-s.ended
			h.resumeLater(s, errors.New("KCL broke off the conversation: "+e.Reason))
		}()
	}
	return s != nil
}

// resumeLater makes KCL read the shard of a failed session again after its backoff.
func (h *host) resumeLater(s *session, failure error) {
	key := s.lease.LeaseKey
	h.mu.Lock()
	overtaken := s.shard.newest != s
	stopping := h.stopping()
	var delay time.Duration
	if !overtaken && !stopping {
		delay = s.shard.backoff.Next(s.worked)
	}
	h.mu.Unlock()
	log := h.log.With("stream", s.lease.Stream, "shard", s.lease.ShardID, "reason", failure)
	switch {
	case stopping:
		log.Warn("a record processor has failed during the stop")
		return
	case overtaken:
		// KCL holds the shard back although it has a newer conversation. That one
		// may end as planned, and then would not resume the shard.
		log.Warn("a record processor has failed")
	default:
		log.Warn("a record processor has failed", "startsAgainIn", delay.Round(100*time.Millisecond))
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		h.resume(key)
	case <-h.ctx.Done():
	}
}

// stopping reports whether no shard is to be resumed.
func (h *host) stopping() bool { return h.ctx.Err() != nil || isClosed(h.javaEnded) }

func (h *host) hasSurvivors() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.survivors
}
