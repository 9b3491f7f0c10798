package handle

import (
	"context"
	"reflect"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
)

func TestObserve(t *testing.T) {
	var first, second int
	p := Record(func(context.Context, processor.Record) error { return nil },
		&Options{Observer: Observer{BatchFinished: func(BatchFinished) { first++ }}})
	p.Observe(Observer{BatchFinished: func(BatchFinished) { second++ }})
	var s processortest.Shard
	fill(&s, 3, 1)
	d := start(t, &s, p)
	d.Do(s.Next(3))
	if first != 1 || second != 1 {
		t.Errorf("told %d and %d times, want 1 and 1", first, second)
	}
}

func TestObserverAnd(t *testing.T) {
	typ := reflect.TypeFor[Observer]()
	for i := range typ.NumField() {
		calls := 0
		var o Observer
		reflect.ValueOf(&o).Elem().Field(i).Set(reflect.MakeFunc(typ.Field(i).Type, func([]reflect.Value) []reflect.Value {
			calls++
			return nil
		}))
		for _, c := range []struct {
			o    Observer
			want int
		}{{o.and(Observer{}), 1}, {Observer{}.and(o), 1}, {o.and(o), 2}} {
			calls = 0
			all := reflect.ValueOf(c.o)
			all.Field(i).Call([]reflect.Value{reflect.Zero(typ.Field(i).Type.In(0))})
			if calls != c.want {
				t.Errorf("%s: %d calls, want %d", typ.Field(i).Name, calls, c.want)
			}
		}
	}
}
