package engine

import "sync"

// A Lease is a conversation about a lease: what Java writes is read from it, the
// answers are written to it. It ends with io.EOF. It is closed when Config.Serve
// returns.
type Lease struct {
	// ID counts the conversations of a Java process from 1.
	ID int64
	// LeaseKey is what KCL calls the lease: the shard's ID, but with several
	// streams ACCOUNT:NAME:EPOCH:SHARD, where EPOCH is when the stream was made, in
	// seconds since 1970.
	LeaseKey string
	ShardID  string
	// Stream is the stream's name.
	Stream string
	// StreamARN is empty when the one stream is read by its name.
	StreamARN string

	conn     *conn
	commands *commands
	failed   sync.Once
}

// Read reads what Java has written. Any error says that the connection has ended.
func (l *Lease) Read(p []byte) (int, error) { return l.conn.r.Read(p) }

// Write writes to Java. Any error says that the connection has ended.
func (l *Lease) Write(p []byte) (int, error) { return l.conn.Write(p) }

// Fail says that the conversation has failed, and closes it: Java takes no more
// checkpoints of it, and holds its shard back until Engine.Read or Engine.Evict
// is called. Only the first call counts. It never blocks.
func (l *Lease) Fail() {
	l.failed.Do(func() {
		l.commands.add(map[string]any{"command": "fail", "lease": l.ID})
		l.conn.Close()
	})
}
