package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
)

func (in *subscribeToShardInput) check(c *constraints) {
	c.required("consumerARN", in.ConsumerARN != nil)
	c.consumerARN(in.ConsumerARN)
	c.required("shardId", in.ShardId != nil)
	c.name("shardId", in.ShardId)
	c.required("startingPosition", in.StartingPosition != nil)
	if p := in.StartingPosition; p != nil {
		c.required("startingPosition.type", p.Type != nil)
		oneOf(c, "startingPosition.type", p.Type, core.PositionTypes)
		c.number("startingPosition.sequenceNumber", p.SequenceNumber, 129)
	}
}

func subscribeToShard(c *call, in *subscribeToShardInput) (*events, error) {
	p, err := position(*in.StartingPosition.Type, "SequenceNumber", in.StartingPosition.SequenceNumber, in.StartingPosition.Timestamp)
	if err != nil {
		return nil, err
	}
	if valueOr(in.DryRun, false) {
		return nil, dryRunError()
	}
	of, stream, consumer := c.resolveResource(*in.ConsumerARN)
	subscription, err := of.Subscribe(stream, consumer, *in.ShardId, p)
	if err != nil {
		return nil, err
	}
	return &events{subscription}, nil
}

// events is the response of SubscribeToShard: a stream of events in JSON. SDKs that
// use CBOR elsewhere use JSON here too.
type events struct{ subscription *core.Subscription }

const (
	eventStreamType = "application/vnd.amazon.eventstream"
	eventType       = "application/json"
)

// send writes events until the subscription ends or ctx is done. It calls cut
// before each event; if that returns true, it cuts the connection instead.
func (e *events) send(ctx context.Context, w http.ResponseWriter, cut func() bool) error {
	w.Header().Set("Content-Type", eventStreamType)
	w.WriteHeader(http.StatusOK)
	out := eventWriter{w, http.NewResponseController(w), eventstream.NewEncoder()}
	if err := out.event("initial-response", struct{}{}); err != nil {
		return err
	}
	for {
		event, err := e.subscription.Next(ctx)
		var exception *core.Error
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &exception):
			return out.exception(asFailure(exception))
		case err != nil:
			return err
		}
		if cut() {
			httpserver.CloseConnection(ctx)
		}
		if err := out.event("SubscribeToShardEvent", eventShape(event)); err != nil {
			return err
		}
	}
}

func eventShape(e core.Event) subscribeToShardEvent {
	shape := subscribeToShardEvent{
		Records:            recordShapes(e.Records, e.KeyID),
		MillisBehindLatest: ptr(e.Behind.Milliseconds()),
		ChildShards:        childShapes(e.Children),
	}
	if !e.End {
		shape.ContinuationSequenceNumber = ptr(e.Continuation.String())
	}
	return shape
}

// eventWriter frames events and sends each at once.
type eventWriter struct {
	w       io.Writer
	control *http.ResponseController
	encoder *eventstream.Encoder
}

func (w eventWriter) event(name string, payload any) error {
	return w.message(payload, eventstreamapi.EventMessageType, eventstreamapi.EventTypeHeader, name)
}

func (w eventWriter) exception(f *failure) error {
	return w.message(errorBody{f.code, f.message}, eventstreamapi.ExceptionMessageType, eventstreamapi.ExceptionTypeHeader, f.code)
}

func (w eventWriter) message(payload any, kind, nameHeader, name string) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	m := eventstream.Message{Payload: body}
	m.Headers.Set(eventstreamapi.MessageTypeHeader, eventstream.StringValue(kind))
	m.Headers.Set(nameHeader, eventstream.StringValue(name))
	m.Headers.Set(eventstreamapi.ContentTypeHeader, eventstream.StringValue(eventType))
	if err := w.encoder.Encode(w.w, m); err != nil {
		return err
	}
	return w.control.Flush()
}
