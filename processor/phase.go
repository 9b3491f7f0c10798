package processor

import (
	"errors"
	"fmt"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// phase is where the conversation with the daemon stands: a state of the diagram in
// protocol/PROTOCOL.md.
//
//	begin -> initializing -> idle -> processing -> idle
//	                              -> stopping   -> idle
//	                              -> ending     -> over
//	                              -> lost       -> over
//
// The input may end in begin, idle and over. Where it ends elsewhere, an action is left
// unanswered.
type phase int

const (
	begin        phase = iota // nothing was received
	initializing              // initialize is not answered
	idle                      // between two actions
	processing                // processRecords is not answered
	stopping                  // shutdownRequested is not answered
	ending                    // shardEnded is not answered
	lost                      // leaseLost is not answered
	over                      // the lease has ended; the end of the input follows
	closed                    // Run is returning: nothing is received or sent any more
)

// inAction reports whether the daemon waits for a status.
func (p phase) inAction() bool {
	switch p {
	case initializing, processing, stopping, ending, lost:
		return true
	}
	return false
}

// next returns the phase that follows p with m: a message of the daemon or, in an
// action, the status that answers it. A checkpoint is a step within an action; see
// checkpointQueue.
func (p phase) next(m protocol.Message) (phase, error) {
	switch p {
	case begin:
		if _, ok := m.(protocol.Initialize); ok {
			return initializing, nil
		}
		return p, fmt.Errorf("the daemon sent %s before initialize", m.Action())
	case idle:
		switch m := m.(type) {
		case protocol.ProcessRecords:
			return processing, nil
		case protocol.ShutdownRequested:
			return stopping, nil
		case protocol.ShardEnded:
			return ending, nil
		case protocol.LeaseLost:
			return lost, nil
		case protocol.Shutdown: // of KCL 1.x
			switch m.Reason {
			case protocol.ReasonTerminate, protocol.ReasonShardEnd:
				return ending, nil
			case protocol.ReasonZombie, protocol.ReasonLeaseLost:
				return lost, nil
			}
			return p, errors.New("the daemon sent shutdown with an unknown reason")
		case protocol.Initialize:
			return p, errors.New("the daemon sent initialize twice")
		}
		return p, fmt.Errorf("the daemon sent %s, which is a child's message", m.Action())
	case initializing, processing, stopping:
		if _, ok := m.(protocol.Status); ok {
			return idle, nil
		}
	case ending, lost:
		if _, ok := m.(protocol.Status); ok {
			return over, nil
		}
	case over:
		return p, fmt.Errorf("the daemon sent %s after the lease's end", m.Action())
	}
	return p, fmt.Errorf("the daemon sent %s out of turn", m.Action())
}
