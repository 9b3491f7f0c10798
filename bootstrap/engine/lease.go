package engine

import "sync"

// A Lease is a conversation about one lease, from the time that Java begins to read
// its shard until it ends; after [Engine.Resume] the same lease has a new one. Read
// and Write may be called at the same time. Read returns the messages that Java
// writes, and Write sends the answers. The conversation ends with io.EOF. It is
// closed when Config.Serve returns.
type Lease struct {
	// ID numbers the conversations of a Java process from 1.
	ID int64
	// LeaseKey is KCL's name of the lease: the shard's ID, or with several streams
	// ACCOUNT:NAME:EPOCH:SHARD, where EPOCH is when the stream was created, in
	// seconds since 1970.
	LeaseKey string
	ShardID  string
	// Stream is the stream's name.
	Stream string
	// StreamARN is empty for a single stream that is named by its name.
	StreamARN string

	conn     *conn
	commands *commands
	failed   sync.Once
}

// Read reads what Java has written. After any error the conversation has ended.
func (l *Lease) Read(p []byte) (int, error) { return l.conn.r.Read(p) }

// Write writes to Java. After any error the conversation has ended.
func (l *Lease) Write(p []byte) (int, error) { return l.conn.Write(p) }

// Fail ends the conversation as failed and closes it. Java makes no more checkpoints
// for it, and holds the shard back: it keeps the lease but does not read the shard
// until Engine.Resume or Engine.Evict is called. Only the first call has an effect.
// Fail never blocks.
func (l *Lease) Fail() {
	l.failed.Do(func() {
		l.commands.add(map[string]any{"command": "fail", "lease": l.ID})
		l.conn.Close()
	})
}
