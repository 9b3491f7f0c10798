package rewind

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

func exampleBackup() Backup {
	lease := kcl.Item{
		kcl.LeaseKey:         &ddb.AttributeValueMemberS{Value: "123456789012:orders:1764460800:shardId-000000000000"},
		kcl.LeaseCounter:     number(12),
		"childShardIds":      &ddb.AttributeValueMemberSS{Value: []string{"shardId-000000000002", "shardId-000000000001"}},
		"throughputKBps":     &ddb.AttributeValueMemberN{Value: "0.698472"},
		kcl.PendingState:     &ddb.AttributeValueMemberB{Value: []byte{0, 255}},
		"of a later version": &ddb.AttributeValueMemberM{Value: kcl.Item{"x": &ddb.AttributeValueMemberBOOL{Value: true}}},
	}
	other := kcl.Item{kcl.LeaseKey: &ddb.AttributeValueMemberS{Value: "shardId-000000000001"}}
	return Backup{
		Application: "app", To: "TRIM_HORIZON", Time: time.Unix(1_764_460_800, 0).UTC(),
		Changes: []Change{{lease, withCheckpoint(lease, Checkpoint{"1", 2})}, {nil, other}, {other, nil}},
	}
}

func TestBackup(t *testing.T) {
	name := filepath.Join(t.TempDir(), "backup")
	want := exampleBackup()
	if err := want.Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := ReadBackup(name)
	if err != nil || got.Application != want.Application || got.To != want.To || !got.Time.Equal(want.Time) || len(got.Changes) != len(want.Changes) {
		t.Fatalf("got %+v, error %v, want %+v", got, err, want)
	}
	for i, change := range want.Changes {
		if !kcl.Equal(got.Changes[i].Before, change.Before) || !kcl.Equal(got.Changes[i].After, change.After) {
			t.Errorf("%+v, want %+v", got.Changes[i], change)
		}
	}
	text, _ := os.ReadFile(name)
	if err := want.Write(name); !os.IsExist(err) {
		t.Errorf("existing file: error %v, want one that it exists", err)
	}
	if now, _ := os.ReadFile(name); !bytes.Equal(now, text) {
		t.Errorf("the file has changed to %s, want %s", now, text)
	}
}

// A backup that can be read can be written and read again.
func FuzzDecode(f *testing.F) {
	var text bytes.Buffer
	if err := exampleBackup().encode(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"kclInfraBackup":1,"application":"app"}` + "\n" + `{"before":{"leaseKey":{"S":"a"}}}`))
	f.Add([]byte(`{"kclInfraBackup":1,"application":"app"}{"before":{"leaseKey":{"S":"a"}},"after":{"leaseKey":{"S":"b"}}}`))
	f.Add([]byte(`{"kclInfraBackup":2,"application":"app"}`))
	f.Add([]byte(`{"kclInfraBackup":1,"application":"app"}{"before":{"leaseKey":{"X":"a"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := b.encode(&again); err != nil {
			t.Skip(err) // a time or a value that no version has written
		}
		c, err := decode(&again)
		if err != nil || len(c.Changes) != len(b.Changes) {
			t.Fatalf("error %v, %d changes, want %d of %s", err, len(c.Changes), len(b.Changes), again.Bytes())
		}
		for i := range b.Changes {
			if !kcl.Equal(b.Changes[i].Before, c.Changes[i].Before) || !kcl.Equal(b.Changes[i].After, c.Changes[i].After) {
				t.Errorf("%+v, want %+v", c.Changes[i], b.Changes[i])
			}
		}
	})
}
