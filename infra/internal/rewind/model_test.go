package rewind

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kinesis "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

const hashes = 16 // keys of the model are 0 to 15, and their own hashes

// A record is one that KCL delivers. An aggregated record of the stream has several.
type record struct {
	seq, sub int
	whole    bool // the last of its aggregated record, or the only one
	time     int
	key      int
}

func (r record) String() string { return fmt.Sprintf("%d/%d", r.seq, r.sub) }

// A shard of the model has the hashes from low to below high.
type shard struct {
	id        string
	low, high int
	start     int // sequence numbers
	end       int // 0: open
	endTime   int
	parents   []*shard
	children  []*shard
	records   []record
}

// kinesis is the shard as ListShards shows it.
func (s *shard) kinesis() kinesis.Shard {
	k := kinesis.Shard{
		ShardId:             &s.id,
		HashKeyRange:        &kinesis.HashKeyRange{StartingHashKey: text(s.low), EndingHashKey: text(s.high - 1)},
		SequenceNumberRange: &kinesis.SequenceNumberRange{StartingSequenceNumber: text(s.start)},
	}
	if s.end != 0 {
		k.SequenceNumberRange.EndingSequenceNumber = text(s.end)
	}
	for i, p := range s.parents {
		*[]**string{&k.ParentShardId, &k.AdjacentParentShardId}[i] = &p.id
	}
	return k
}

func text(n int) *string { return aws.String(fmt.Sprint(n)) }

// A world is a stream and an application that reads it as KCL does.
type world struct {
	*rand.Rand
	now, seq int
	made     int      // shards
	shards   []*shard // as listed
	app
}

// The app of a world has rows, and consumers while it runs.
type app struct {
	rows    map[string]kcl.Item
	next    map[string]int // of a consumer: its next record
	read    []record
	initial kcl.Position
}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 20)), seq: 100}
	n := 1 + w.IntN(3)
	for i := range n {
		w.add(i*hashes/n, (i+1)*hashes/n)
	}
	return w
}

func (w *world) add(low, high int, parents ...*shard) {
	w.seq++
	s := &shard{id: fmt.Sprintf("shardId-%012d", w.made), low: low, high: high, start: w.seq, parents: parents}
	for _, p := range parents {
		p.end, p.endTime = w.seq, w.now
		p.children = append(p.children, s)
	}
	w.shards = append(w.shards, s)
	w.made++
}

func (w *world) open() (open []*shard) {
	for _, s := range w.shards {
		if s.end == 0 {
			open = append(open, s)
		}
	}
	slices.SortFunc(open, func(a, b *shard) int { return a.low - b.low })
	return open
}

// grow puts a record, or reshards now and then.
func (w *world) grow() {
	open := w.open()
	i := w.IntN(len(open))
	s := open[i]
	switch w.IntN(12) {
	case 0:
		if s.high-s.low > 1 {
			w.now++
			middle := s.low + 1 + w.IntN(s.high-s.low-1)
			w.add(s.low, middle, s)
			w.add(middle, s.high, s)
		}
	case 1:
		if i+1 < len(open) {
			w.now++
			w.add(s.low, open[i+1].high, s, open[i+1])
		}
	default:
		w.now += w.IntN(2)
		w.seq++
		key, n := s.low+w.IntN(s.high-s.low), max(1, w.IntN(8)-4)
		for sub := range n {
			s.records = append(s.records, record{w.seq, sub, sub == n-1, w.now, key})
		}
	}
}

// begin creates the first leases at the current time.
func (w *world) begin() {
	w.app = app{rows: map[string]kcl.Item{}, next: map[string]int{}, initial: kcl.Position{
		Kind: []string{kcl.TrimHorizon, kcl.Latest, kcl.AtTimestamp}[w.IntN(3)], Time: at(w.now - w.IntN(w.now/2+1)),
	}}
	for _, s := range w.shards {
		first := s.end == 0
		switch w.initial.Kind {
		case kcl.TrimHorizon:
			first = len(s.parents) == 0
		case kcl.AtTimestamp:
			from := int(w.initial.Time.Unix())
			first = (s.end == 0 || s.endTime > from) && !slices.ContainsFunc(s.parents, func(p *shard) bool { return p.endTime > from })
		}
		if first {
			w.rows[s.id] = kcl.NewLease(s.kinesis(), w.initial.Kind, "", kcl.KCL3)
		}
	}
}

func at(t int) time.Time { return time.Unix(int64(t), 0) }

func (w *world) unread(id string) bool {
	row := w.rows[id]
	return row != nil && checkpointOf(row).Sequence != kcl.ShardEnd
}

// step makes one consumer continue, and reports whether one could.
func (w *world) step() bool {
	for _, i := range w.Perm(len(w.shards)) {
		if s := w.shards[i]; w.unread(s.id) && w.consume(s) {
			return true
		}
	}
	return false
}

func (w *world) consume(s *shard) bool {
	next, running := w.next[s.id]
	if !running {
		if slices.ContainsFunc(s.parents, func(p *shard) bool { return w.unread(p.id) }) {
			return false // BlockOnParentShardTask
		}
		next = w.first(s)
		w.next[s.id] = next
		return true
	}
	if next < len(s.records) {
		r := s.records[next]
		w.read = append(w.read, r)
		w.next[s.id]++
		w.checkpoint(s.id, fmt.Sprint(r.seq), r.sub)
		return true
	}
	if s.end == 0 {
		return false
	}
	// ShutdownTask.
	if len(s.children) == 1 {
		if p := s.children[0].parents; (w.rows[p[0].id] == nil) != (w.rows[p[1].id] == nil) {
			return false
		}
	}
	for _, child := range s.children {
		if w.rows[child.id] == nil {
			w.rows[child.id] = kcl.NewLease(child.kinesis(), kcl.TrimHorizon, "", kcl.KCL3)
		}
	}
	w.checkpoint(s.id, kcl.ShardEnd, 0)
	delete(w.next, s.id)
	return true
}

// first returns the index of the record at which a consumer starts, from its checkpoint.
func (w *world) first(s *shard) int {
	c := checkpointOf(w.rows[s.id])
	after := func(r record) bool {
		n, ok := new(big.Int).SetString(c.Sequence, 10)
		if !ok {
			panic("a lease at " + c.Sequence)
		}
		if cmp := n.Cmp(big.NewInt(int64(r.seq))); cmp != 0 {
			return cmp < 0
		}
		return int64(r.sub) > c.Sub
	}
	switch c.Sequence {
	case kcl.TrimHorizon:
		return 0
	case kcl.Latest:
		return len(s.records)
	case kcl.AtTimestamp:
		after = func(r record) bool { return !at(r.time).Before(w.initial.Time) }
	}
	if i := slices.IndexFunc(s.records, after); i >= 0 {
		return i
	}
	return len(s.records)
}

func (w *world) checkpoint(id, sequence string, sub int) {
	row := maps.Clone(w.rows[id])
	row[kcl.Checkpoint] = &ddb.AttributeValueMemberS{Value: sequence}
	row[kcl.CheckpointSub] = number(int64(sub))
	row[kcl.LeaseCounter] = number(kcl.Int(row, kcl.LeaseCounter) + 1)
	row[kcl.LeaseOwner] = &ddb.AttributeValueMemberS{Value: "w"}
	w.rows[id] = row
}

// tidy does what LeaseCleanupManager does.
func (w *world) tidy() {
	for _, s := range w.shards {
		row := w.rows[s.id]
		if row == nil || checkpointOf(row).Sequence != kcl.ShardEnd {
			continue
		}
		if slices.ContainsFunc(s.parents, func(p *shard) bool { return w.rows[p.id] != nil }) {
			continue
		}
		begun := func(c *shard) bool {
			row := w.rows[c.id]
			return row != nil && checkpointOf(row).Sequence != kcl.TrimHorizon && checkpointOf(row).Sequence != kcl.AtTimestamp
		}
		if !slices.ContainsFunc(s.children, func(c *shard) bool { return !begun(c) }) {
			delete(w.rows, s.id)
		}
	}
}

// audit does what PeriodicShardSyncManager and HierarchicalShardSyncer do when they find a
// hole: it creates leases for open shards without one.
func (w *world) audit() {
	covered := [hashes]bool{}
	for _, s := range w.shards {
		for h := s.low; h < s.high && w.unread(s.id); h++ {
			covered[h] = true
		}
	}
	if !slices.Contains(covered[:], false) {
		return
	}
	listed := map[*shard]bool{}
	for _, s := range w.shards {
		listed[s] = true
	}
	made, should, memo := map[string]string{}, map[string]bool{}, map[string]bool{}
	word := w.initial.Kind
	var descends func(s *shard) bool
	descends = func(s *shard) bool {
		if d, known := memo[s.id]; known {
			return d
		}
		is := w.rows[s.id] != nil
		if !is {
			of := map[*shard]bool{}
			for _, p := range s.parents {
				if listed[p] && (descends(p) || should[p.id]) {
					is, of[p] = true, true
				}
			}
			for _, p := range s.parents {
				if !is || !listed[p] || w.rows[p.id] != nil {
					continue
				}
				if _, there := made[p.id]; there || should[p.id] || !of[p] {
					made[p.id] = word
					if of[p] && word != kcl.AtTimestamp {
						made[p.id] = kcl.TrimHorizon
					}
				}
			}
			if !is && word != kcl.Latest {
				should[s.id] = true
			}
		}
		memo[s.id] = is
		return is
	}
	for _, s := range w.open() {
		if w.rows[s.id] == nil && !descends(s) {
			made[s.id] = word
		}
	}
	for _, s := range w.shards {
		if word, new := made[s.id]; new {
			w.rows[s.id] = kcl.NewLease(s.kinesis(), word, "", kcl.KCL3)
		}
	}
}

// run starts the application with the world's rows and runs it to the end of the stream. It
// returns the records that it read.
func (w *world) run() []record {
	w.next, w.read = map[string]int{}, nil
	for w.step() {
		switch w.IntN(10) {
		case 0:
			w.tidy()
		case 1:
			w.audit()
		}
	}
	return w.read
}

// fork returns a world with the same stream and rows.
func (w *world) fork() *world {
	f := *w
	f.Rand = rand.New(rand.NewPCG(w.Uint64(), 0))
	f.rows = maps.Clone(w.rows)
	return &f
}

func (w *world) stream() Stream {
	s := Stream{Initial: w.initial}
	for _, shard := range w.shards {
		s.Shards = append(s.Shards, shard.kinesis())
	}
	for _, id := range slices.Sorted(maps.Keys(w.rows)) {
		s.Leases = append(s.Leases, w.rows[id])
	}
	return s
}

func (w *world) apply(changes []Change) {
	for _, c := range changes {
		if c.After == nil {
			delete(w.rows, kcl.ShardOf(c.Before))
		} else {
			w.rows[kcl.ShardOf(c.After)] = c.After
		}
	}
}

// String shows the shards, the rows and the records.
func (w *world) String() string {
	var b strings.Builder
	for _, s := range w.shards {
		row := "-"
		if w.rows[s.id] != nil {
			row = fmt.Sprint(checkpointOf(w.rows[s.id]))
		}
		fmt.Fprintf(&b, "%s of %v, hashes %d to %d, ends %d at time %d, lease %s:", s.id, parents(s.kinesis()), s.low, s.high-1, s.end, s.endTime, row)
		for _, r := range s.records {
			fmt.Fprintf(&b, " %v@%d", r, r.time)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
